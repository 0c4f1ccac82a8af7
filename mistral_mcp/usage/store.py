"""Where sums are kept: in memory here, in a file (stdio), in the vault's database (hosting)."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cachetools import LRUCache

from mistral_mcp.usage.sums import Key, Sums, add_to

KEPT_DAYS = 400
"""After which a day's sums are forgotten."""

_OWNERS = 10_000  # in memory at once; the one unused for longest goes first

Rows = dict[Key, Sums]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sums of several owners that are added together, once: `id` tells a batch that is tried again."""

    rows: Mapping[str, Rows]
    """By owner."""
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def __iter__(self) -> Iterator[tuple[str, Key, Sums]]:
        """Always in the same order, so that two writers do not wait for one another."""
        for owner in sorted(self.rows):
            for key in sorted(self.rows[owner]):
                yield owner, key, self.rows[owner][key]


class UsageStore(Protocol):
    """A home of sums."""

    async def add(self, batch: Batch) -> None:
        """All of it, or nothing. Raises `VaultUnavailable`; the same batch is then tried again."""
        ...

    async def read(self, owner: str, since: str) -> Rows:
        """What an owner has used from a day on. Raises `VaultUnavailable`."""
        ...


class MemoryUsage:
    """For as long as the process lives."""

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
