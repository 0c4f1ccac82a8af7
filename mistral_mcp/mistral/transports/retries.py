"""A transport: what is tried again, and when."""

import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import anyio
import httpx2

from mistral_mcp.mistral import failures
from mistral_mcp.mistral.multipart import Form
from mistral_mcp.mistral.transports.exchange import Exchange, exchange_of

_log = logging.getLogger(__name__)

_AHEAD = 16 * 1024 * 1024  # bytes of an answer that are read before it counts as having come
_ERROR = 1024 * 1024  # bytes that are read of a failure
_FIRST, _LONGEST = 0.5, 8.0  # seconds of backoff, doubled from attempt to attempt


class Retries(httpx2.AsyncBaseTransport):
    """Sends a request again where that may help and can do no harm.

    A request that is not `exchange.repeatable` is sent again only where the failed attempt certainly had no effect: nobody
    was reached, or a limiter refused it with 429. The last response is returned, the last exception raised, and so they
    are at once when the wait before another attempt would not fit into `exchange.remaining`.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        max_retries: int = 2,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._inner = inner
        self._max_retries = max_retries
        self._jitter = jitter
        self._sleep = sleep

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(request)
        for retry in range(self._max_retries):
            wait = min(_FIRST * 2**retry, _LONGEST) * (1 + self._jitter()) / 2
            exchange.attempts += 1
            try:
                response = await self._send(request, exchange)
            except httpx2.TransportError as error:
                if not _harmless_after(error, request, exchange) or wait >= exchange.remaining:
                    raise
                why = f"No answer from {exchange.caller.route.name}"
            else:
                wait = max(wait, failures.retry_after(response) or 0)
                if response.is_success or not _worth_it(response, request, exchange) or wait >= exchange.remaining:
                    return response
                why = f"HTTP {response.status_code} from {exchange.caller.route.name}"
            _log.debug("%s at attempt %d; the next in %.1f s", why, exchange.attempts, wait)
            await exchange.waiting(why, wait)
            await self._sleep(wait)
        exchange.attempts += 1
        return await self._send(request, exchange)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: httpx2.Request, exchange: Exchange) -> httpx2.Response:
        """One attempt. Failures are read, and so is the beginning of what may be asked for again if it breaks off."""
        response = await self._inner.handle_async_request(request)
        kind = response.headers.get("content-type", "")
        if not response.is_success:
            return await _failed(response)
        if exchange.repeatable and kind.startswith("text/event-stream"):
            return await prefetch(response, 1)
        if exchange.repeatable and kind.startswith("application/json"):
            return await prefetch(response, _AHEAD)
        return response


class PrefetchedStream(httpx2.AsyncByteStream):
    """A body of which the first pieces have been read."""

    def __init__(self, read: list[bytes], rest: AsyncIterator[bytes], response: httpx2.Response) -> None:
        self._read = read
        self._rest = rest
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        for piece in self._read:
            yield piece
        async for piece in self._rest:
            yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


async def prefetch(response: httpx2.Response, size: int) -> httpx2.Response:
    """Wait for so many bytes, or the end: until they have come, an answer may be asked for again."""
    status, headers = response.status_code, without_entity_headers(response.headers)
    pieces = response.aiter_bytes()
    read: list[bytes] = []
    try:
        async for piece in pieces:
            read.append(piece)
            size -= len(piece)
            if size <= 0:
                return httpx2.Response(status, headers=headers, stream=PrefetchedStream(read, pieces, response))
    except BaseException:
        with anyio.CancelScope(shield=True):
            await response.aclose()
        raise
    if not read:
        raise httpx2.RemoteProtocolError("the answer ended before it began")
    return httpx2.Response(status, headers=headers, content=b"".join(read))


async def _failed(response: httpx2.Response) -> httpx2.Response:
    """With as much of its body as an error needs. If that breaks off, the status alone tells enough."""
    read = b""
    try:
        async for piece in response.aiter_bytes():
            read += piece
            if len(read) > _ERROR:
                break
    except httpx2.HTTPError:
        read = b""
    finally:
        await response.aclose()
    return httpx2.Response(response.status_code, headers=without_entity_headers(response.headers), content=read)


def without_entity_headers(headers: httpx2.Headers) -> list[tuple[str, str]]:
    """Without what was true of the body on the wire only."""
    return [
        (name, value)
        for name, value in headers.multi_items()
        if not name.startswith("content-") or name == "content-type"
    ]


def _harmless_after(error: httpx2.TransportError, request: httpx2.Request, exchange: Exchange) -> bool:
    if isinstance(error, failures.NEVER_ARRIVED):
        return True
    return exchange.repeatable and _replayable(request) and not isinstance(error, failures.HOPELESS)


def _worth_it(response: httpx2.Response, request: httpx2.Request, exchange: Exchange) -> bool:
    had_no_effect = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    return (exchange.repeatable or had_no_effect) and _replayable(request) and failures.is_transient(response)


def _replayable(request: httpx2.Request) -> bool:
    """Whether the body can be sent twice; a stream may have been used up, but a form begins anew."""
    return isinstance(request.stream, (httpx2.ByteStream, Form))
