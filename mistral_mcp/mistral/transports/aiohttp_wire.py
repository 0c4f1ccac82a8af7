"""The wire of `serve`: aiohttp's client under httpx2, at a third of the processor time of httpx2's own.

httpx2's searches its pool and parses replies in Python, which would cost as much as the rest of a tool call.
"""

import io
import ssl
from collections.abc import AsyncGenerator
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import cast

import aiohttp
import httpx2
from multidict import CIMultiDict
from yarl import URL

from mistral_mcp.bounds.memory import LARGE
from mistral_mcp.mistral.transports.wire import CONNECTIONS, HEADER_ENCODING, KEEPALIVE, Wire
from mistral_mcp.network import Network

_AUTO_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_HEADER = 64 * 1024  # bytes of one header of a reply
_AT_ONCE = 1024 * 1024  # bytes of a body, above which aiohttp warns


def serving_wire(network: Network) -> Wire:
    """The innermost transport of `serve`; behind a proxy httpx2's own connections, which know SOCKS too."""
    return Wire(network, AiohttpTransport)


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests unchanged: no cookies, no redirects, no headers of its own, nothing decoded.

    Only connecting has a timeout, because every call has a deadline.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = (
            None  # built for the first request: it belongs to the event loop
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        session = self._session = self._session or _session(self._tls)
        timeout = _timeout(request.extensions.get("timeout", {}).get("connect"))
        headers = CIMultiDict(
            (name.decode(HEADER_ENCODING), value.decode(HEADER_ENCODING))
            for name, value in request.headers.raw
            if name.lower() != b"host"
        )
        # Only those that are missing: to have any skipped, aiohttp copies and sorts headers.
        skipped = [name for name in _AUTO_HEADERS if name not in headers]
        with EXCEPTIONS_OF_HTTPX2:
            response = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=headers,
                skip_auto_headers=skipped or None,
                data=_content(request),
                timeout=timeout,
                allow_redirects=False,
            )
            if _is_small(response):
                body = httpx2.ByteStream(await _read(response))
            else:
                body = _Body(response)
        reply = httpx2.Response(response.status, headers=list(response.raw_headers), stream=body)
        reply.headers.encoding = HEADER_ENCODING  # else it is found out, by decoding every header
        if isinstance(body, httpx2.ByteStream):
            reply.read()
        return reply

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


@cache
def _timeout(connect: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect)


def _session(tls: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=CONNECTIONS, keepalive_timeout=KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        middlewares=(_once,),
        max_line_size=_HEADER,
        max_field_size=_HEADER,
    )


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Turns off aiohttp's own retries: only `retries` decides what is sent again."""
    with EXCEPTIONS_OF_HTTPX2:
        return await handler(request)


def _content(request: httpx2.Request) -> bytes | io.BytesIO | httpx2.AsyncByteStream:
    """The request's body. A large one is sent in pieces, between which the event loop does other work."""
    if not isinstance(request.stream, httpx2.ByteStream):
        return cast("httpx2.AsyncByteStream", request.stream)
    body = request.read()
    if len(body) > _AT_ONCE:
        return io.BytesIO(body)
    return body


def _is_small(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is an answer to read at once: a stream of it costs as much as its request.

    HTTP holds it to its length; a compressed one could become larger.
    """
    headers = response.headers
    if response.status != HTTPStatus.OK or not headers.get("Content-Type", "").startswith("application/json"):
        return False
    length = response.content_length
    return length is not None and 0 < length <= LARGE and "Content-Encoding" not in headers


async def _read(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.read()
    except BaseException:
        response.close()
        raise


class _Body(httpx2.AsyncByteStream):
    """A reply's body, as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        with EXCEPTIONS_OF_HTTPX2:
            async for part in self._response.content.iter_any():
                yield part

    async def aclose(self) -> None:
        self._response.close()  # a reply that was read to the end has released its connection already


class _ExceptionsOfHttpx2:
    """Raises what aiohttp raises as httpx2 would: whether a request may have arrived, and can be repeated, depends on
    the kind of error.

    A class, because three times for each request `contextlib` would cost as much as the request's headers.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error is None:
            return
        kind = _kind_of(error)
        if kind is not None:
            raise kind(str(error)) from error


EXCEPTIONS_OF_HTTPX2 = _ExceptionsOfHttpx2()


def _kind_of(error: BaseException) -> type[httpx2.TransportError] | None:
    """The exception of httpx2 for one of aiohttp's; None for what passes as it is."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx2.ConnectTimeout
        case aiohttp.ClientConnectorError():
            return httpx2.ConnectError
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError() | aiohttp.ServerDisconnectedError():
            return httpx2.RemoteProtocolError
        case aiohttp.ClientError() | OSError():
            return httpx2.ReadError
        case ValueError():  # a header with a line break
            return httpx2.LocalProtocolError
        case _:
            return None
