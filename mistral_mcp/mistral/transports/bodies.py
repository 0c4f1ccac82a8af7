"""Reading a reply's body: once, and within a bound."""

from collections.abc import AsyncGenerator, AsyncIterator
from io import BytesIO

import anyio
import httpx2

from mistral_mcp.bounds.memory import LARGE, MIB, SharedMemory
from mistral_mcp.errors import RateLimited
from mistral_mcp.mistral.failures import CHECK_FIRST
from mistral_mcp.mistral.transports.exchange import Exchange

_STEP = 4
"""Times what it has, where a reply of unknown length takes more."""
_DIGITS = 18  # of a length

_FAILURE = 1024 * 1024
"""Bytes to read of a failed reply's body."""


def memory_for_replies() -> SharedMemory:
    """For one process. Alone a caller may have the largest reply there is; whoever comes next finds room all the same."""
    return SharedMemory(96 * MIB, lambda free: free * 2 // 3, patience=15)


class BodyTooLarge(Exception):
    """A body larger than its call allows; the rest of it was not read."""


async def read_body(response: httpx2.Response, exchange: Exchange) -> httpx2.Response:
    """The reply with its whole body, for which a large one holds memory of the exchange's.

    Raises `BodyTooLarge`, or `RateLimited`.
    """
    if response.is_closed and len(response.content) <= exchange.max_bytes:
        return response  # the wire has read it
    if 0 < _announced_length(response) <= min(LARGE, exchange.max_bytes):
        await response.aread()  # at once, for HTTP holds it to that length
        return response
    body = BytesIO()  # of which bytes are made without a copy
    size, room = 0, min(LARGE, exchange.max_bytes)
    try:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > room:
                room = await _make_room(response, exchange, room, size)
            body.write(part)
    except BaseException:
        exchange.release_memory()
        raise
    finally:
        await _close(response)
    return _with_content(response, body.getvalue())


async def _make_room(response: httpx2.Response, exchange: Exchange, room: int, size: int) -> int:
    """Memory for as much as is announced, or else for a while; gives the bytes there is room for."""
    length = _announced_length(response)
    if max(size, length) > exchange.max_bytes:
        raise BodyTooLarge
    if length:
        room = max(size, length)
    else:
        room = min(max(size, _STEP * room), exchange.max_bytes)
    try:
        await exchange.hold_memory(room)
    except RateLimited as error:
        if not exchange.repeatable:
            error.advice = CHECK_FIRST
        raise
    return room


def _announced_length(response: httpx2.Response) -> int:
    """The bytes of the body; 0 where they cannot be known before it is read."""
    length = response.headers.get("content-length", "")
    if "content-encoding" in response.headers or len(length) > _DIGITS or not length.isdecimal():
        return 0
    return int(length)


async def read_failure(response: httpx2.Response) -> httpx2.Response:
    """The reply with as much of its body as an error needs. If reading fails, the status alone is enough."""
    read = b""
    try:
        async for part in response.aiter_bytes():
            read += part
            if len(read) > _FAILURE:
                break
    except httpx2.HTTPError:
        read = b""
    finally:
        await _close(response)
    return _with_content(response, read)


class PrefetchedStream(httpx2.AsyncByteStream):
    """A body whose first piece has been read."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes], response: httpx2.Response) -> None:
        self._first = first
        self._rest = rest
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self._first
        async for piece in self._rest:
            yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


async def prefetch(response: httpx2.Response) -> httpx2.Response:
    """Wait for the first piece of a body: until it has arrived, the request may be retried."""
    pieces = response.aiter_bytes()
    try:
        first = await anext(pieces, None)
    except BaseException:
        await _close(response)
        raise
    if first is None:
        raise httpx2.RemoteProtocolError("the answer ended before it began")
    stream = PrefetchedStream(first, pieces, response)
    return httpx2.Response(response.status_code, headers=without_entity_headers(response.headers), stream=stream)


def without_entity_headers(headers: httpx2.Headers) -> list[tuple[str, str]]:
    """The headers without those that only describe the encoded body."""
    return [
        (name, value)
        for name, value in headers.multi_items()
        if not name.startswith("content-") or name == "content-type"
    ]


def _with_content(response: httpx2.Response, content: bytes) -> httpx2.Response:
    return httpx2.Response(response.status_code, headers=without_entity_headers(response.headers), content=content)


async def _close(response: httpx2.Response) -> None:
    with anyio.CancelScope(shield=True):
        await response.aclose()
