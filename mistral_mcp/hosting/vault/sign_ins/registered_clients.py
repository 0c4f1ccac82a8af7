"""OAuth clients that registered themselves: their metadata, and the sealed secret of confidential ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import delete, func, insert, select

from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.sealing import SealBroken, seal, unseal
from mistral_mcp.hosting.vault.tables import clients, grants

MOST_CLIENTS = 10_000
UNUSED_AFTER = timedelta(days=1)
UNUSED_AFTER_WHEN_FULL = timedelta(hours=1)
"""A person takes minutes to agree; clients unused for longer were a test, or a flood."""


class TooManyClients(Exception):
    """Raised by `add`: the table is full of clients that are used, or registered within the hour."""


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A registered client; `described` is its metadata as JSON, without the secret."""

    described: str
    secret: SecretStr | None


def count_clients(database: sqlalchemy.Connection) -> int:
    return database.execute(select(func.count()).select_from(clients)).scalar_one()


def delete_unused_clients(database: sqlalchemy.Connection, registered_before: datetime) -> None:
    """Delete clients without a grant."""
    unused = clients.c.client_id.not_in(select(grants.c.client_id))
    database.execute(delete(clients).where(unused, clients.c.created_at <= registered_before))


class RegisteredClients:
    """Stores registered clients. The first of `keys` seals new secrets; all unseal."""

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
        now = self._now()
        row = {
            "client_id": client_id,
            "described": client.described,
            "sealed_secret": sealed,
            "created_at": now,
        }

        def work(database: sqlalchemy.Connection) -> None:
            if count_clients(database) >= MOST_CLIENTS:
                delete_unused_clients(database, now - UNUSED_AFTER_WHEN_FULL)
                if count_clients(database) >= MOST_CLIENTS:
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
