"""Stores of usage: in memory here, in a file (stdio), in the vault's database (hosting)."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cachetools import LRUCache

from mistral_mcp.usage.sums import Key, Sums, add_to

KEPT_DAYS = 400
"""Retention of a day's sums."""

_OWNERS = 10_000  # in memory; the least recently used is evicted

Rows = dict[Key, Sums]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sums of several owners, added once in one step: `id` identifies a retried batch."""

    rows: Mapping[str, Rows]
    """Rows by owner."""
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def __iter__(self) -> Iterator[tuple[str, Key, Sums]]:
        """In a fixed order, so that two writers do not deadlock."""
        for owner in sorted(self.rows):
            for key in sorted(self.rows[owner]):
                yield owner, key, self.rows[owner][key]


class UsageStore(Protocol):
    """Stores sums."""

    async def add(self, batch: Batch) -> None:
        """Add a batch as a whole. Raises `VaultUnavailable`; the caller then retries the same batch."""
        ...

    async def read(self, owner: str, since: str) -> Rows:
        """An owner's rows since a day, inclusive. Raises `VaultUnavailable`."""
        ...


class MemoryUsage:
    """Keeps sums while the process runs."""

    def __init__(self) -> None:
        self._rows: LRUCache[str, Rows] = LRUCache(_OWNERS)

    async def add(self, batch: Batch) -> None:
        for owner, rows in batch.rows.items():
            self.add_rows(owner, rows)

    async def read(self, owner: str, since: str) -> Rows:
        rows: Rows = self._rows.get(owner, {})
        return {key: sums for key, sums in rows.items() if key.day >= since}

    def add_rows(self, owner: str, rows: Rows) -> None:
        known = self._rows.get(owner)
        if known is None:
            known = self._rows[owner] = {}
        add_to(known, rows)
        days = {key.day for key in known}
        if len(days) > KEPT_DAYS:
            oldest = min(days)
            self._rows[owner] = {key: sums for key, sums in known.items() if key.day != oldest}
