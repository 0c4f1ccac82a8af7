"""Writes that look-ups defer: dates of last use, and rows to re-encrypt with the newest version."""

from datetime import datetime

from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.vault import maintenance
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.maintenance import ResealedRow


class PendingWrites:
    """Deferred writes, done once a minute and at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, datetime] = {}
        self._resealed: dict[str, ResealedRow] = {}

    def note_use(self, connection_id: str, when: datetime) -> None:
        self._used[connection_id] = when

    def queue_new_seal(self, row: ResealedRow) -> None:
        self._resealed[row.id] = row

    async def write(self) -> None:
        """Write them; those that fail are kept for the next time. Raises `VaultUnavailable`."""
        used, self._used = self._used, {}
        resealed, self._resealed = self._resealed, {}
        try:
            await maintenance.write_last_used(self._database, used)
            await maintenance.write_new_seals(self._database, list(resealed.values()))
        except VaultUnavailable:
            self._used = used | self._used
            self._resealed = resealed | self._resealed
            raise
