"""What others may learn of each exchange with Mistral, once it has ended: metrics, audit, spans."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol, cast

import httpx2

from mistral_mcp.mistral.transports.exchange import Exchange, exchange_of


class ExchangeObserver(Protocol):
    """Hears of each exchange when it has ended. It must not fail, and takes no time worth mentioning."""

    def exchange_ended(self, exchange: Exchange, status: int | None, seconds: float) -> None:
        """`status` is that of the last attempt, None where nobody answered; `seconds` count from the first attempt's
        turn to wait until the reply was read or given up. Attempts and the wait for a turn are the exchange's.
        """


class Observing(httpx2.AsyncBaseTransport):
    """Tells an observer of the exchanges that pass."""

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
    """Call once when a response is closed; at once where it has been read."""
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
