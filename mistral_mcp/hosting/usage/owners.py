"""Owners of usage in the vault's database: connections, and callers with their own keys."""

from typing import Any

from mistral_mcp.credentials import Credentials
from mistral_mcp.hosting.usage.allowances import VaultAllowances
from mistral_mcp.hosting.usage.sums import VaultUsage
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.kept_results import Owner
from mistral_mcp.settings import Settings
from mistral_mcp.usage.answer import Limits
from mistral_mcp.usage.budget_texts import BudgetTexts
from mistral_mcp.usage.budgets import Budgets
from mistral_mcp.usage.calls import CallRecord
from mistral_mcp.usage.ledger import Ledger, OwnerName

_KNOWN_KEYS = 10_000


def vault_ledger(settings: Settings, vault: Vault, holder: str) -> Ledger:
    """The ledger of a hosted server. `holder` identifies this process, as for its budgets."""
    return Ledger(
        VaultUsage(vault.database, vault.now, holder),
        OwnerNames(lambda credentials: vault.owner_name(Owner(credentials))).of,
        is_counted=KnownKeys().is_counted,
        ceiling=Limits(settings.budget_usd, settings.budget_calls_per_day),
        now=vault.now,
    )


def vault_budgets(settings: Settings, vault: Vault, holder: str, ledger: Ledger) -> Budgets:
    """The budgets of a hosted server: connections' own, and the operator's ceiling."""
    ceiling = Limits(settings.budget_usd, settings.budget_calls_per_day)
    if settings.public_url:
        manage = f"{settings.public_url}/manage"
    else:
        manage = "/manage of this server"
    store = VaultAllowances(vault.database, vault.now)
    return Budgets(ledger, store, BudgetTexts(ceiling, manage), now=vault.now, holder=holder)


class OwnerNames:
    """Remembers the names of owners, whose digest costs more than all the rest of counting a call."""

    def __init__(self, find: OwnerName) -> None:
        self._find = find
        self._names: dict[int, str] = {}

    def of(self, credentials: Credentials) -> str:
        if credentials.connection_id is not None:
            return credentials.connection_id
        identity = _identity(credentials)
        name = self._names.get(identity)
        if name is None:
            name = self._names[identity] = self._find(credentials)
            _forget_the_oldest(self._names)
        return name


class KnownKeys:
    """Callers' own keys that Mistral has accepted. Only these are counted: each invented key would get its own rows."""

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}

    def is_counted(self, record: CallRecord) -> bool:
        credentials = record.credentials
        if credentials is None or credentials.connection_id is not None:
            return True
        identity = _identity(credentials)
        if identity in self._known:
            return True
        if record.outcome != "ok" or record.status is None:
            return False
        self._known[identity] = True
        _forget_the_oldest(self._known)
        return True


def _forget_the_oldest(known: dict[int, Any]) -> None:
    """Of more than 10,000 keys. A plain dictionary, since each call looks for its key up to three times."""
    if len(known) > _KNOWN_KEYS:
        del known[next(iter(known))]


def _identity(credentials: Credentials) -> int:
    """A hash that only this process can compute: no key stays in memory for it."""
    if credentials.key is None:
        return 0
    return hash(credentials.key.get_secret_value())
