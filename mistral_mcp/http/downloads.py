"""`GET /results/{handle}`: how a stored result is sent, whole or a range of it; and the core's endpoint for results in memory.

A result is always saved, never shown: its content is not trusted.
"""

import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Send

from mistral_mcp.errors import ExpiredResult, MistralMcpError, UnknownResult
from mistral_mcp.kept_results import ResultStore

Span = tuple[int, int]
"""The first byte, and the one after the last."""

NOTHING: Span = (0, 0)
"""A range outside of the result."""

_PIECE = 64 * 1024  # bytes

_log = logging.getLogger(__name__)

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_DIGITS = 18  # of a number in a range
# Types that are harmless in a browser; all others, including HTML and SVG, are saved to a file.
_TEXTS = frozenset({"text/plain", "text/markdown", "text/csv", "application/json", "application/x-ndjson"})


def download_from(store: ResultStore) -> Callable[[Request], Awaitable[Response]]:
    """The core's endpoint. The handle is the only credential."""

    async def download(request: Request) -> Response:
        try:
            content = await store.download(request.path_params["handle"])
        except (UnknownResult, ExpiredResult) as error:
            return JSONResponse({"error": {"message": str(error)}}, error.status, {"cache-control": "no-store"})
        size = len(content.data)
        span = requested_span(request, size)
        if span == NOTHING:
            return unsatisfiable(size)
        status, headers = describe_file(content.filename, content.mime_type, size, span)
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return Download(stream(request.path_params["handle"], *(span or (0, size))), status, headers)

    async def stream(handle: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """In pieces, each looked up anew: a client that does not read holds no result that the store has evicted."""
        for at in range(start, end, _PIECE):
            content = await store.download(handle)
            piece = content.data[at : min(at + _PIECE, end)]
            del content
            yield piece

    return download


class Download(StreamingResponse):
    """A file in pieces. If a later piece cannot be had, the server closes the connection: its length was announced."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except MistralMcpError as error:  # evicted, expired or revoked meanwhile, or the database is away
            _log.warning("A download ended early: %s.", type(error).__name__)


def requested_span(request: Request, size: int) -> Span | None:
    """The requested range; None: all of it. `NOTHING`: a range outside of the result.

    Several ranges, and invalid ones, are answered with all of it, as RFC 9110 allows.
    """
    header = request.headers.get("range", "")
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found[0] == "bytes=-" or max(map(len, found.groups())) > _DIGITS:
        return None
    if not found[1]:
        last = min(int(found[2]), size)
        if last:
            return (size - last, size)
        return NOTHING
    start = int(found[1])
    if found[2]:
        end = min(int(found[2]) + 1, size)
    else:
        end = size
    if start < end:
        return (start, end)
    return NOTHING


def unsatisfiable(size: int) -> Response:
    """The response to a range outside of the result."""
    headers = {"content-range": f"bytes */{size}", "cache-control": "no-store"}
    return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)


def describe_file(
    filename: str,
    mime_type: str,
    size: int,
    span: Span | None,
) -> tuple[HTTPStatus, dict[str, str]]:
    """Status and headers of a download."""
    start, end = span or (0, size)
    ascii_name = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    headers = {
        "content-type": _content_type(mime_type),
        "content-length": str(end - start),
        "content-disposition": (
            f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(filename, safe='')}"
        ),
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; sandbox",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    if span is None:
        return HTTPStatus.OK, headers
    headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return HTTPStatus.PARTIAL_CONTENT, headers


def _content_type(mime_type: str) -> str:
    kind = mime_type.partition(";")[0].strip().lower()
    if kind in _TEXTS:
        return f"{kind}; charset=utf-8"
    if kind.startswith("text/") or kind.endswith("xml"):
        return "application/octet-stream"
    return kind
