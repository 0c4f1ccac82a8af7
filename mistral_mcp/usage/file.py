"""Usage over stdio: a small SQLite file in the data folder, shared by all processes of one person.

Each batch is one transaction that adds to the stored sums, so several processes can write at once without losing anything.
If the file is unusable, usage is kept in memory, and no call fails.
"""

import logging
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from mistral_mcp.usage.answer import day_of
from mistral_mcp.usage.store import KEPT_DAYS, Batch, MemoryUsage, Rows
from mistral_mcp.usage.sums import NAMES, Key, Sums

if TYPE_CHECKING:
    import sqlite3

_PATIENCE = 5.0  # seconds, while another process writes

_COLUMNS = ", ".join(f"{name} INTEGER NOT NULL" for name in NAMES)
_CREATE = f"""
CREATE TABLE IF NOT EXISTS usage (
    owner TEXT NOT NULL, day TEXT NOT NULL, tool TEXT NOT NULL, model TEXT NOT NULL, {_COLUMNS},
    PRIMARY KEY (owner, day, tool, model)
) WITHOUT ROWID
"""
_ADD = f"""
INSERT INTO usage VALUES (?, ?, ?, ?, {", ".join("?" * len(NAMES))})
ON CONFLICT (owner, day, tool, model) DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in NAMES)}
"""  # noqa: S608 - names of ours
_READ = f"SELECT day, tool, model, {', '.join(NAMES)} FROM usage WHERE owner = ? AND day >= ?"  # noqa: S608

_log = logging.getLogger(__name__)


class FileUsage:
    """The `UsageStore` of stdio. Nothing is created before there is something to write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._memory: MemoryUsage | None = None
        """Used while the file is unusable."""

    async def add(self, batch: Batch) -> None:
        if self._memory is None and await anyio.to_thread.run_sync(self._add, batch):
            return
        if self._memory is None:
            self._memory = MemoryUsage()
        await self._memory.add(batch)

    async def read(self, owner: str, since: str) -> Rows:
        if self._memory is not None:
            return await self._memory.read(owner, since)
        return await anyio.to_thread.run_sync(self._read, owner, since)

    def _add(self, batch: Batch) -> bool:
        """Write a batch; whether that worked."""
        import sqlite3  # noqa: PLC0415 - not before something was used: stdio must start fast

        values = [(owner, *key, *sums.values()) for owner, key, sums in batch]
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connect()) as file, file:
                file.execute("BEGIN IMMEDIATE")
                _prepare(file)
                file.executemany(_ADD, values)
        except (sqlite3.Error, OSError) as error:
            _log.warning("Usage is kept in memory only: %s (%s).", self._path, type(error).__name__)
            return False
        return True

    def _read(self, owner: str, since: str) -> Rows:
        import sqlite3  # noqa: PLC0415

        if not self._path.exists():
            return {}
        try:
            with closing(self._connect()) as file:
                found = file.execute(_READ, (owner, since)).fetchall()
        except sqlite3.Error as error:
            _log.warning("Usage cannot be read: %s (%s).", self._path, type(error).__name__)
            return {}
        return {Key(*row[:3]): Sums(*row[3:]) for row in found}

    def _connect(self) -> "sqlite3.Connection":
        """Opens a new connection each time: an idle process holds no file open."""
        import sqlite3  # noqa: PLC0415

        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        return sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)


def _prepare(file: "sqlite3.Connection") -> None:
    """Create the table, and delete rows past their retention."""
    file.execute(_CREATE)
    oldest = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    file.execute("DELETE FROM usage WHERE day < ?", (day_of(oldest),))
