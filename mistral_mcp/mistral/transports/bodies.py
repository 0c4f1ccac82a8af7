"""Reading a reply's body: once, and within a bound."""

from collections.abc import AsyncGenerator, AsyncIterator

import anyio
import httpx2

_FAILURE = 1024 * 1024
"""Bytes that are read of a failure."""


class BodyTooLarge(Exception):
    """A body of more bytes than its call takes in; the rest of it was not read."""


async def read_body(response: httpx2.Response, max_bytes: int) -> httpx2.Response:
    """The reply with its whole body. Raises `BodyTooLarge`."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > max_bytes:
                raise BodyTooLarge
            parts.append(part)
    finally:
        await _close(response)
    return _with_content(response, b"".join(parts))


async def read_failure(response: httpx2.Response) -> httpx2.Response:
    """The reply with as much of its body as an error needs. If that breaks off, the status alone says enough."""
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
    """A body of which the first piece has been read."""

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
    """Wait for the first piece of a body: until it has come, a reply may be asked for again."""
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
    """Without what was true of the body on the wire only."""
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
