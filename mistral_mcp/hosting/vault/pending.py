"""What look-ups leave to be written, off the way of a call: dates of last use, and rows that an older version sealed."""

from datetime import datetime

from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.vault import maintenance
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.maintenance import ResealedRow


class PendingWrites:
    """Written once a minute, and at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, datetime] = {}
        self._resealed: dict[str, ResealedRow] = {}

    def note_use(self, connection_id: str, when: datetime) -> None:
        self._used[connection_id] = when

    def note_resealed(self, row: ResealedRow) -> None:
        self._resealed[row.id] = row

    async def write(self) -> None:
        """What cannot be written now is kept for the next time. Raises `VaultUnavailable`."""
        used, self._used = self._used, {}
        resealed, self._resealed = self._resealed, {}
        try:
            await maintenance.write_last_used(self._database, used)
            await maintenance.write_resealed(self._database, list(resealed.values()))
        except VaultUnavailable:
            self._used = used | self._used
            self._resealed = resealed | self._resealed
            raise
