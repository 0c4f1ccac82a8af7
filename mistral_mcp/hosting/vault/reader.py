"""Loads connections: the row of a live token, unsealed with it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from mistral_mcp.hosting.vault import records, statements
from mistral_mcp.hosting.vault.cache import Found
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.digests import key_digests
from mistral_mcp.hosting.vault.maintenance import ResealedRow
from mistral_mcp.hosting.vault.pending import PendingWrites
from mistral_mcp.hosting.vault.sealing import MasterKeys, is_outdated
from mistral_mcp.hosting.vault.tokens import Token


class ConnectionReader:
    """Loads connections. Both methods raise `RefusedCredential`, `RevokedOrExpired` or `VaultUnavailable`."""

    def __init__(
        self,
        database: Database,
        ring: Callable[[], MasterKeys],
        pending: PendingWrites,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._ring = ring
        self._pending = pending
        self._now = now

    async def load(self, token: Token) -> Found:
        """The token's connection. Secrets sealed by an older version are queued for re-encryption."""
        row = await self.read_live(token)
        ring = self._ring()
        with records.report_damage():
            data_key = records.unseal_data_key(row, token, ring)
            secrets = records.unseal_secrets(row, data_key)
            if is_outdated(row.sealed_key) or is_outdated(row.sealed_route_token):
                digest = key_digests(secrets, ring.derive_keys)[0]
                new = records.connection_row(records.connection_of(row), secrets, data_key, digest)
                self._pending.queue_new_seal(ResealedRow(row.id, row.sealed_key, row.sealed_route_token, new))
            return Found(row.id, records.credentials_of(row, token, secrets))

    async def read_live(self, token: Token) -> Row[Any]:
        now = self._now()
        with records.report_damage():
            return await self._database.read(lambda database: statements.find_live(database, token, now))
