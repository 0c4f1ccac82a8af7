"""A connection as a value: what may be shown of it, and the rules for a new one."""

import secrets as random
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from mistral_mcp.errors import BadArgument
from mistral_mcp.route import Route

LONGEST_LABEL = 100
LONGEST_EXPIRY = 3650  # days
_HINT, _LONG_ENOUGH = 4, 16  # of a shorter key, four characters would reveal too much


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What may be shown of a connection: no secret. Times are aware, in UTC."""

    id: str
    label: str
    key_hint: str
    """The last four characters of the Mistral key."""
    toolsets: tuple[str, ...] | None
    """None: no limit."""
    read_only: bool
    route: Route | None
    """None: the operator's."""
    budget_usd: float | None = None
    """US dollars a month; None: no budget of its own."""
    budget_calls_per_day: int | None = None
    created_at: datetime
    last_used_at: datetime | None
    """To the minute."""
    expires_at: datetime | None
    revoked_at: datetime | None
    master_keys: tuple[str, ...] = ()
    """Ids of the master keys of its live tokens; only `Vault.connections` fills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token. It is stored nowhere: show it once."""

    token: SecretStr
    connection: Connection


class WrongField(BadArgument):
    """An invalid field; `field` says which."""

    def __init__(self, field: str, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.field = field


def new_id() -> str:
    return random.token_hex(8)


def key_hint(api_key: SecretStr | None) -> str:
    if api_key:
        key = api_key.get_secret_value()
    else:
        key = ""
    if len(key) >= _LONG_ENOUGH:
        return key[-_HINT:]
    return ""


def check_terms(label: str, expires_in_days: int | None) -> None:
    """Raises `BadArgument`."""
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise BadArgument(f"label is one line of at most {LONGEST_LABEL} characters.")
    if expires_in_days is not None and not 1 <= expires_in_days <= LONGEST_EXPIRY:
        raise BadArgument(f"expires_in_days is between 1 and {LONGEST_EXPIRY}.")


def check_route(api_key: SecretStr | None, route: Route | None, route_token: SecretStr | None) -> None:
    """Raises `WrongField` for a combination that tenants may not use, or that cannot work."""
    if route is not None and route.kind == "base":
        raise WrongField("route", "A connection's route is one of the known kinds, never a URL.")
    if route_token is not None and route is None:
        advice = "Give the route too, or leave both out."
        raise WrongField("route_token", "route_token needs a route.", advice)
    if route is not None and route.kind in {"lava", "lava-byok"} and route_token is None:
        raise WrongField("route_token", "The lava routes need route_token, Lava's secret key.")
    if api_key is None and not (route is not None and route.pays(route_token)):
        advice = "Give a Mistral API key (from https://console.mistral.ai)."
        raise WrongField("api_key", "api_key is missing.", advice)
