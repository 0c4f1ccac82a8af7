"""Memory that large things under way hold together in this process, and how much of it each caller may have.

    memory = SharedMemory(96 * MIB, lambda free: free * 2 // 3, patience=15)
    holding = Holding(memory)       # of one tool call
    await holding.add(size)         # waits for others to finish; raises `NoRoom`
    holding.remove(size)

It is counted rather than allocated.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from mistral_mcp.bounds.heavy_work import current_caller

MIB = 1024 * 1024
LARGE = MIB // 4
"""Bytes; what holds less is not counted."""

Share = Callable[[int], int]
"""The bytes that one caller may have, of those that nobody else has."""


class NoRoom(Exception):
    """Nothing became free in time. `seconds` is how long it was waited for."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class SharedMemory:
    """So many bytes. `patience`: seconds that anybody waits for some."""

    def __init__(self, total: int, share: Share, patience: float) -> None:
        self._total = total
        self._share = share
        self._patience = patience
        self._held: Counter[str] = Counter()
        self._freed = asyncio.Event()

    async def reserve(self, caller: str, size: int) -> None:
        """Take so many bytes when the caller's share allows it. Raises `NoRoom`."""
        try:
            async with asyncio.timeout(self._patience):
                while not self._has_room(caller, size):
                    await self._freed.wait()
        except TimeoutError:
            raise NoRoom(self._patience) from None
        self._held[caller] += size

    def release(self, caller: str, size: int) -> None:
        self._held[caller] -= size
        if self._held[caller] <= 0:
            del self._held[caller]
        self._freed.set()
        self._freed = asyncio.Event()

    def _has_room(self, caller: str, size: int) -> bool:
        own = self._held[caller]
        free = self._total - self._held.total() + own
        return own + size <= self._share(free)


class Holding:
    """What one tool call holds."""

    __slots__ = ("_caller", "_memory", "size")

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._caller = ""
        self.size = 0
        """Bytes."""

    async def add(self, size: int) -> None:
        """Raises `NoRoom`."""
        self._caller = current_caller()
        await self._memory.reserve(self._caller, size)
        self.size += size

    def remove(self, size: int) -> None:
        self.size -= size
        self._memory.release(self._caller, size)

    def release(self) -> None:
        """All of it."""
        if self.size:
            self.remove(self.size)
