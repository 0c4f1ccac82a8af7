"""Progress notifications: they only grow, and there are at most ten in any second."""

import time
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

Report = Callable[[float, float | None, str | None], Awaitable[None]]
"""Sends progress, total (None if unknown) and a message."""

_MOST = 10
_SECOND = 1.05  # a little longer: reports may arrive closer to each other than they were sent
_INTERVAL = 0.125  # seconds between texts, or parts
_LONGEST = (
    100_000  # characters of one report: clients take events of a megabyte, and a character is up to six bytes
)
_FOR_WAITS = 6  # of the ten: many parts of a large input may start to wait at once, and must not delay the answer


class Progress:
    """One call's progress: each wait, character of text and part of a large input counts 1."""

    def __init__(
        self,
        report: Report,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._report = report
        self._now = now
        self._sleep = sleep
        self._waits = 0
        self._done = 0
        self._total: int | None = None
        self._pending = ""
        self._reported = deque[float](maxlen=_MOST)

    async def waiting(self, message: str | None) -> None:
        """Report that the call waits: in a queue, for another attempt, for a thinking model."""
        if self._full(_FOR_WAITS) <= 0:
            self._waits += 1
            await self._send(message)

    async def thinking(self) -> None:
        """Report that the model thinks, without text."""
        if self._since_last() >= 1:
            await self.waiting(None)

    async def text(self, piece: str) -> None:
        """Add a piece of the answer; it is reported together with all since the last report."""
        self._pending += piece
        if self._pending and self._since_last() >= _INTERVAL and self._full() <= 0:
            await self._send_text()

    async def flush(self) -> None:
        """Report the rest of the text, as soon as the rate allows."""
        while self._pending:
            await self._sleep_while_full()
            await self._send_text()

    async def _send_text(self) -> None:
        message, self._pending = self._pending[:_LONGEST], self._pending[_LONGEST:]
        self._done += len(message)
        await self._send(message)

    async def parts(self, done: int, total: int) -> None:
        """Report the finished parts of a large input."""
        self._done, self._total = done, total
        if done == total:
            await self._sleep_while_full()
            await self._send(None)
        elif self._since_last() >= _INTERVAL and self._full() <= 0:
            await self._send(None)

    async def _send(self, message: str | None) -> None:
        self._reported.append(self._now())
        if self._total is None:
            total = None
        else:
            total = self._waits + self._total
        await self._report(self._waits + self._done, total, message)

    def _since_last(self) -> float:
        if self._reported:
            return self._now() - self._reported[-1]
        return _SECOND

    def _full(self, most: int = _MOST) -> float:
        """Seconds until fewer than `most` reports were sent in the last second."""
        if len(self._reported) >= most:
            return self._reported[-most] + _SECOND - self._now()
        return 0.0

    async def _sleep_while_full(self) -> None:
        while (seconds := self._full()) > 0:
            await self._sleep(seconds)
