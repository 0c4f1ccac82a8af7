"""`/uploads/{handle}`: a page where a person gives files to a model; they go on to Mistral as they come.

Whoever has the link can do nothing but upload. `curl -T file URL` works too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mistral_mcp.errors import MistralMcpError
from mistral_mcp.hosting.vault.uploads import VaultUploads
from mistral_mcp.hosting.web.incoming_files import ForwardFileCall, IncomingFile, read_form, read_raw
from mistral_mcp.hosting.web.pages.problems import describe
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of
from mistral_mcp.hosting.web.responses import error_status
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.upload_links import MOST_FILES, UploadedFile

# The page sends files with a script, and its form says where it comes from.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
}


@dataclass(frozen=True)
class UploadPages:
    uploads: VaultUploads
    upstream: Upstream
    renderer: Renderer

    def routes(self) -> list[Route]:
        return [
            Route("/uploads/{handle}", self.page, methods=["GET", "HEAD"]),
            Route("/uploads/{handle}", self.receive, methods=["POST", "PUT"]),
            Route("/uploads/{handle}/{filename}", self.receive, methods=["POST", "PUT"]),
        ]

    async def page(self, request: Request) -> Response:
        try:
            found = await self.uploads.look(request.path_params["handle"])
        except MistralMcpError as error:
            return self._page(request, error_status(error)[0], ended=True)
        return self._page(request, HTTPStatus.OK, files=found.files)

    async def receive(self, request: Request) -> Response:
        """One file. A form is answered with the page, everything else with JSON."""
        handle = request.path_params["handle"]
        is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
        try:
            if is_form:
                file = await read_form(request)
            else:
                file = read_raw(request)
            uploaded = await self._send(handle, file)
        except MistralMcpError as error:
            status, headers = error_status(error)
            problem = describe(error, language_of(request))
            if is_form:
                return self._page(request, status, problem=problem, ended=status == HTTPStatus.GONE)
            message = {"error": {"message": problem}}
            # What is left of the body is not read, so the connection cannot be used again.
            return JSONResponse(message, status, headers | {"cache-control": "no-store", "connection": "close"})
        if is_form:
            found = await self.uploads.look(handle)
            return self._page(request, HTTPStatus.OK, files=found.files, uploaded=uploaded)
        body = {"handle": handle, "filename": uploaded.filename, "bytes": uploaded.bytes}
        return JSONResponse(body, HTTPStatus.CREATED, {"cache-control": "no-store"})

    async def _send(self, handle: str, file: IncomingFile) -> UploadedFile:
        caller, purpose = await self.uploads.begin(handle)
        uploaded: UploadedFile | None = None
        try:
            mistral = self.upstream.client(caller, Progress(_ignore))  # with the deadline of a long call
            reply = await mistral.send(ForwardFileCall(purpose=purpose, file=file))
            uploaded = UploadedFile(reply.id, reply.filename or file.filename, reply.bytes or file.size)
            return uploaded
        finally:
            await self.uploads.finish(handle, uploaded)

    def _page(self, request: Request, status: int, **values: Any) -> Response:
        defaults: Mapping[str, Any] = {"files": (), "problem": "", "ended": False, "uploaded": None}
        return self.renderer.render(
            request,
            "upload.html",
            status,
            _HEADERS,
            **{**defaults, **values},
            path=f"/uploads/{request.path_params['handle']}",
            most=MOST_FILES,
        )


async def _ignore(_done: float, _total: float | None, _message: str | None) -> None:
    """Nobody listens."""
