"""`GET /results/{handle}`: a stored result, streamed a piece at a time, whole or a range of it."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mistral_mcp.errors import ExpiredResult, MistralMcpError
from mistral_mcp.hosting.vault.results import StoredResult, VaultResults
from mistral_mcp.hosting.web.responses import error_status

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
# Shown by a browser, none of these runs anything; all else, HTML and SVG with it, is saved to a file.
_TEXTS = frozenset({"text/plain", "text/markdown", "text/csv", "application/json", "application/x-ndjson"})


@dataclass(frozen=True)
class Downloads:
    """A link is for one download: a HEAD, as previews of links send, does not use it up, nor does a part."""

    results: VaultResults

    def routes(self) -> list[Route]:
        return [Route("/results/{handle}", self.download, methods=["GET", "HEAD"])]

    async def download(self, request: Request) -> Response:
        try:
            stored = await self.results.find(request.path_params["handle"])
            span = _span(request.headers.get("range", ""), stored.size)
            if self.results.is_used_up(stored, resumes=span is not None):
                raise ExpiredResult
        except MistralMcpError as error:
            status, headers = error_status(error)
            return JSONResponse(
                {"error": {"message": str(error)}}, status, headers | {"cache-control": "no-store"}
            )
        if span == (0, 0):
            unsatisfied = {"content-range": f"bytes */{stored.size}"}
            return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfied)
        start, end = span or (0, stored.size)
        headers = _headers(stored, start, end)
        status = HTTPStatus.OK
        if span is not None:
            status = HTTPStatus.PARTIAL_CONTENT
            headers["content-range"] = f"bytes {start}-{end - 1}/{stored.size}"
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        body = self._stream(stored, start, end)
        return StreamingResponse(body, status, headers)

    async def _stream(self, stored: StoredResult, start: int, end: int) -> AsyncGenerator[bytes]:
        async for piece in self.results.stream(stored, start, end):
            yield piece
        if (start, end) == (0, stored.size):
            await self.results.mark_used(stored)


def _span(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last; None: all of it. (0, 0): nothing that is there.

    Several ranges at once, and what is none, are answered with all of it, as RFC 9110 allows.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        last = min(int(found[2]), size)
        if last:
            return (size - last, size)
        return (0, 0)
    start = int(found[1])
    if found[2]:
        end = min(int(found[2]) + 1, size)
    else:
        end = size
    if start < end:
        return (start, end)
    return (0, 0)


def _headers(stored: StoredResult, start: int, end: int) -> dict[str, str]:
    kind = stored.mime_type.partition(";")[0].strip().lower()
    if kind in _TEXTS:
        kind = f"{kind}; charset=utf-8"
    elif kind.startswith("text/") or kind.endswith("xml"):
        kind = "application/octet-stream"
    ascii_name = re.sub(r"[^A-Za-z0-9._ -]", "_", stored.filename)
    return {
        "content-type": kind,
        "content-length": str(end - start),
        "content-disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(stored.filename)}",
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; sandbox",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
