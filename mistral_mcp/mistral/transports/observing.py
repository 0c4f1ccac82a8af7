"""Notifies observers of each finished exchange with Mistral: metrics, audit, spans."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol, cast

import httpx2

from mistral_mcp.mistral.transports.exchange import Exchange, exchange_of


class ExchangeObserver(Protocol):
    """Is called when an exchange has ended. It must not fail, and must be fast."""

    def exchange_ended(self, exchange: Exchange, status: int | None, seconds: float) -> None:
        """`status` is that of the last attempt, None without a response; `seconds` include queueing, all attempts and reading
        the reply. The exchange has the number of attempts and the time in the queue.
        """


class Observing(httpx2.AsyncBaseTransport):
    """Calls an observer at the end of each exchange."""

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        observer: ExchangeObserver,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._observer = observer
        self._now = now

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange, since = exchange_of(request), self._now()

        def end(status: int | None) -> None:
            self._observer.exchange_ended(exchange, status, self._now() - since)

        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:
            end(None)
            raise
        call_at_end(response, lambda: end(response.status_code))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def call_at_end(response: httpx2.Response, callback: Callable[[], None]) -> None:
    """Call `callback` once, when the response is closed; at once if it has been read."""
    if response.is_closed:
        callback()
    else:
        response.stream = _EndingStream(cast("httpx2.AsyncByteStream", response.stream), callback)


class _EndingStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, callback: Callable[[], None]) -> None:
        self._stream = stream
        self._callback: Callable[[], None] | None = callback

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        callback, self._callback = self._callback, None
        try:
            await self._stream.aclose()
        finally:
            if callback is not None:
                callback()
