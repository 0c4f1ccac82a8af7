"""Shares a process's connections to Mistral, so that one caller's hanging calls leave some for all others."""

from collections import deque
from typing import Protocol

import anyio

_PARTS = 16  # a holder may have one part of the free connections


class Holder(Protocol):
    """Holds connections."""

    connections: int


class ConnectionShares:
    """A holder of connections gets another only while many are free; the last ones are for new holders."""

    def __init__(self, total: int) -> None:
        self.free = total
        self._waiting: deque[anyio.Event] = deque()

    def take_nowait(self, holder: Holder) -> bool:
        """Take a connection if the holder's share allows it."""
        if not self.free or holder.connections >= max(self.free // _PARTS, 1):
            return False
        self.free -= 1
        holder.connections += 1
        return True

    async def take(self, holder: Holder) -> None:
        """Take a connection, waiting while the holder has its full share."""
        while not self.take_nowait(holder):
            event = anyio.Event()
            self._waiting.append(event)
            try:
                await event.wait()
            finally:
                if event in self._waiting:
                    self._waiting.remove(event)

    def release(self, holder: Holder) -> None:
        self.free += 1
        holder.connections -= 1
        waiting, self._waiting = self._waiting, deque()
        for event in waiting:  # each checks whether it may now have one
            event.set()
