"""`GET /results/{handle}` of the vault: a stored result, streamed a piece at a time, whole or a range of it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mistral_mcp.errors import ExpiredResult, MistralMcpError
from mistral_mcp.hosting.vault.results import StoredResult, VaultResults
from mistral_mcp.http.downloads import NOTHING, Download, describe_file, requested_span, unsatisfiable
from mistral_mcp.http.responses import error_status


@dataclass(frozen=True)
class Downloads:
    """A link works for one download. A HEAD, which link previews send, does not use it up, nor does a partial download."""

    results: VaultResults

    def routes(self) -> list[Route]:
        return [Route("/results/{handle}", self.download, methods=["GET", "HEAD"])]

    async def download(self, request: Request) -> Response:
        try:
            stored = await self.results.find(request.path_params["handle"])
            span = requested_span(request, stored.size)
            if self.results.is_used_up(stored, resumes=span is not None):
                raise ExpiredResult
        except MistralMcpError as error:
            status, headers = error_status(error)
            return JSONResponse(
                {"error": {"message": str(error)}}, status, headers | {"cache-control": "no-store"}
            )
        if span == NOTHING:
            return unsatisfiable(stored.size)
        status, headers = describe_file(stored.filename, stored.mime_type, stored.size, span)
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        start, end = span or (0, stored.size)
        return Download(self._stream(stored, start, end), status, headers)

    async def _stream(self, stored: StoredResult, start: int, end: int) -> AsyncGenerator[bytes]:
        async for piece in self.results.stream(stored, start, end):
            yield piece
        if (start, end) == (0, stored.size):
            await self.results.mark_used(stored)
