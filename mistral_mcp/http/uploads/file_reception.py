"""`/uploads/{handle}`: streams files that a person uploads to Mistral.

The link can only be used to upload. `curl -T file URL` works too. The store of links and the design of the page
differ: `hosting` has a vault and its pages, stdio a page on this machine.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mistral_mcp.errors import ExpiredUpload, MistralMcpError, VaultUnavailable
from mistral_mcp.http.responses import error_status
from mistral_mcp.http.uploads.incoming_files import ForwardFileCall, IncomingFile, read_form, read_raw
from mistral_mcp.mistral.api.files import FileReply
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.upload_links import UploadedFile, Uploads

_EVERY = 2.0  # seconds between checks of the link

# The page uploads files with a script, and its form sends an Origin.
UPLOAD_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
}


class OpenLinks(Protocol):
    """The store of upload links, for their pages, which only know the handle in the URL."""

    async def look(self, handle: str) -> Uploads:
        """Raises `UnknownUpload` or `ExpiredUpload`."""
        ...

    async def begin(self, handle: str) -> tuple[Caller, str]:
        """Count a file whose upload begins. Returns the caller to upload it for, and its purpose. Raises as `look` does."""
        ...

    async def finish(self, handle: str, file: UploadedFile | None) -> None:
        """Record the uploaded file; None: the upload failed, and does not count."""
        ...

    async def is_revoked(self, handle: str) -> bool:
        """Whether the link has ended with its connection."""
        ...


@dataclass(frozen=True)
class FileReception:
    """The endpoints; a subclass has the page."""

    uploads: OpenLinks
    upstream: Upstream

    def routes(self) -> list[Route]:
        return [
            Route("/uploads/{handle}", self.page, methods=["GET", "HEAD"]),
            Route("/uploads/{handle}", self.receive, methods=["POST", "PUT"]),
            Route("/uploads/{handle}/{filename}", self.receive, methods=["POST", "PUT"]),
        ]

    def render(
        self,
        request: Request,
        status: int,
        *,
        files: Sequence[UploadedFile] = (),
        problem: str = "",
        ended: bool = False,
    ) -> Response:
        """The page."""
        raise NotImplementedError

    def describe(self, request: Request, error: MistralMcpError) -> str:
        """The message of an error for a person."""
        raise NotImplementedError

    async def page(self, request: Request) -> Response:
        try:
            found = await self.uploads.look(request.path_params["handle"])
        except MistralMcpError as error:
            return self.render(request, error_status(error)[0], ended=True)
        return self.render(request, HTTPStatus.OK, files=found.files)

    async def receive(self, request: Request) -> Response:
        """Upload one file. The response to a form is the page, to other requests JSON."""
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
            problem = self.describe(request, error)
            if is_form:
                return self.render(request, status, problem=problem, ended=status == HTTPStatus.GONE)
            message = {"error": {"message": problem}}
            # The rest of the body is not read, so the connection cannot be reused.
            return JSONResponse(message, status, headers | {"cache-control": "no-store", "connection": "close"})
        if is_form:
            found = await self.uploads.look(handle)
            return self.render(request, HTTPStatus.OK, files=found.files)
        body = {"handle": handle, "filename": uploaded.filename, "bytes": uploaded.bytes}
        return JSONResponse(body, HTTPStatus.CREATED, {"cache-control": "no-store"})

    async def _send(self, handle: str, file: IncomingFile) -> UploadedFile:
        caller, purpose = await self.uploads.begin(handle)
        uploaded: UploadedFile | None = None
        try:
            mistral = self.upstream.client(caller, Progress(_ignore))  # with the deadline of a long call
            reply = await self._until_revoked(handle, mistral.send(ForwardFileCall(purpose=purpose, file=file)))
            uploaded = UploadedFile(reply.id, reply.filename or file.filename, reply.bytes or file.size)
            return uploaded
        finally:
            await self.uploads.finish(handle, uploaded)

    async def _until_revoked(self, handle: str, sending: Awaitable[FileReply]) -> FileReply:
        """Raises `ExpiredUpload` within seconds if the link's connection is revoked, here or on another replica."""
        with anyio.CancelScope() as scope:
            watching = asyncio.create_task(self._watch(handle, scope))
            try:
                return await sending
            finally:
                watching.cancel()
        raise ExpiredUpload

    async def _watch(self, handle: str, scope: anyio.CancelScope) -> None:
        revoked = False
        while not revoked:
            await asyncio.sleep(_EVERY)
            with suppress(VaultUnavailable):  # logged, and checked again next time
                revoked = await self.uploads.is_revoked(handle)
        scope.cancel()


async def _ignore(_done: float, _total: float | None, _message: str | None) -> None:
    """Progress is not shown."""
