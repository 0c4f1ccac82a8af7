"""Bounds what clients leave unread of their answers, in all: each answer is bounded, but so many can wait at once."""

import asyncio
import logging
from collections import Counter
from typing import Protocol

from mistral_mcp.bounds.memory import MIB

HIGH_WATER = 16 * 1024
"""Bytes of an answer in this process's memory, beyond what the system holds, from which on it is counted."""

_MOST = 32 * MIB
_LOG_EVERY = 60.0  # seconds

_log = logging.getLogger(__name__)


class Connection(Protocol):
    """A client's connection."""

    @property
    def address(self) -> str: ...

    @property
    def unread(self) -> int:
        """Bytes of its answer that the client has not read."""
        ...

    def unread_since(self) -> float:
        """When the client last read."""
        ...

    def abort(self) -> None:
        """Cut it at once, and drop what is unread."""
        ...


class UnreadAnswers:
    """The connections of one process with an unread answer.

    Beyond the bound, the address with the most unread loses the connection on which nothing was read for the longest time:
    whoever reads loses nothing to those who do not.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._noted: dict[Connection, int] = {}
        """Each connection's unread bytes, as of its last answer or the last count of all."""
        self._total = 0
        self._logged_at = 0.0

    def add(self, connection: Connection) -> None:
        self.discard(connection)
        self._noted[connection] = connection.unread
        self._total += connection.unread
        # Only then, or a thousand stalled connections would be counted for each piece of a download.
        if self._total > self._most:
            self._count_all()

    def discard(self, connection: Connection) -> None:
        self._total -= self._noted.pop(connection, 0)

    def _count_all(self) -> None:
        """Count what clients have read since, and close connections if too much is left."""
        by_address = Counter[str]()
        for each in self._noted:
            self._noted[each] = each.unread
            by_address[each.address] += each.unread
        self._total = by_address.total()
        if self._total > self._most:
            self._log()
        while self._total > self._most:
            address = by_address.most_common(1)[0][0]
            of_address = [each for each in self._noted if each.address == address]
            oldest = min(of_address, key=lambda each: each.unread_since())
            by_address[address] -= self._noted[oldest]
            self.discard(oldest)
            oldest.abort()

    def _log(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_EVERY or not self._logged_at:
            self._logged_at = now
            _log.warning(
                "Clients have left more than %d MB of answers unread: the connections unread longest are closed.",
                self._most // MIB,
            )
