"""The connections to Mistral of one process, shared: one caller's hanging calls leave room for everybody else's."""

from collections import deque
from typing import Protocol

import anyio

_PARTS = 16  # of what is free, a holder may have one


class Holder(Protocol):
    """Whoever holds connections."""

    connections: int


class ConnectionShares:
    """Who holds connections already gets another only while many are left free; the last ones are for newcomers."""

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
        """Take a connection, waiting for as long as the holder has its share."""
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
        for event in waiting:  # each sees for itself whether there is a share for it
            event.set()
