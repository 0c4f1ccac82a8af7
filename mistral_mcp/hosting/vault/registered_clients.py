"""OAuth clients that registered themselves: what they say of themselves, and the sealed secret of those that have one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import func, insert, select

from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.sealing import SealBroken, seal, unseal
from mistral_mcp.hosting.vault.tables import clients

MOST_CLIENTS = 10_000


class TooManyClients(Exception):
    """Raised by `add`: the table is full until the next sweep."""


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """`described` is JSON, without the secret."""

    described: str
    secret: SecretStr | None


class RegisteredClients:
    """`keys` seal secrets: the first new ones, all of them old ones."""

    def __init__(
        self, database: Database, keys: Callable[[], Sequence[bytes]], now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._keys = keys
        self._now = now

    async def find(self, client_id: str) -> RegisteredClient | None:
        by_id = select(clients).where(clients.c.client_id == client_id)
        row = await self._database.read(lambda database: database.execute(by_id).one_or_none())
        if row is None:
            return None
        if row.sealed_secret is None:
            secret = None
        else:
            secret = self._unseal(row.sealed_secret, client_id)
        return RegisteredClient(row.described, secret)

    async def add(self, client_id: str, client: RegisteredClient) -> None:
        """Raises `TooManyClients`."""
        secret = client.secret
        if secret is None:
            sealed = None
        else:
            sealed = seal(self._keys()[0], secret.get_secret_value().encode(), client_id)
        row = {
            "client_id": client_id,
            "described": client.described,
            "sealed_secret": sealed,
            "created_at": self._now(),
        }

        def work(database: sqlalchemy.Connection) -> None:
            if database.execute(select(func.count()).select_from(clients)).scalar_one() >= MOST_CLIENTS:
                raise TooManyClients
            database.execute(insert(clients), row)

        await self._database.write(work)

    def _unseal(self, sealed: bytes, client_id: str) -> SecretStr:
        for key in self._keys():
            try:
                return SecretStr(unseal(key, sealed, client_id).decode())
            except SealBroken:
                continue
        raise SealBroken
