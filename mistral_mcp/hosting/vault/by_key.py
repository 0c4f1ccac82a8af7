"""Connections as the holder of their Mistral key finds them, who has none of their tokens.

A key opens nothing that is sealed: without a token there is no data key. What is in the clear can be read and changed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import update

from mistral_mcp.hosting.vault import statements
from mistral_mcp.hosting.vault.connection import Connection
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.digests import DeriveKeys, key_digests
from mistral_mcp.hosting.vault.records import Secrets, readable_connections
from mistral_mcp.hosting.vault.tables import connections

_MOST = 100


class ConnectionsByKey:
    """Both methods raise `VaultUnavailable` while the database is away."""

    def __init__(
        self,
        database: Database,
        derive_keys: DeriveKeys,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._derive_keys = derive_keys
        self._now = now

    def digests(self, key: SecretStr) -> list[bytes]:
        return key_digests(Secrets(key, None), self._derive_keys)

    async def list_of(self, digests: Sequence[bytes]) -> list[Connection]:
        """Those that are live, newest first, at most a hundred."""
        rows = await self._database.read(
            lambda database: statements.find_of_key(database, digests, _MOST, self._now())
        )
        return readable_connections((row, ()) for row in rows)

    async def update(self, connection: Connection) -> None:
        """Its label and its budgets, which no seal is bound to."""
        changed = (
            update(connections)
            .where(connections.c.id == connection.id)
            .values(
                label=connection.label,
                budget_usd=connection.budget_usd,
                budget_calls_per_day=connection.budget_calls_per_day,
            )
        )

        def work(database: sqlalchemy.Connection) -> None:
            database.execute(changed)

        await self._database.write(work)
