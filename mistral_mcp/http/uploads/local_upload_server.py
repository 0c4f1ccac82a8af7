"""The server of stdio's upload page: on loopback, at a free port, in this process."""

import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from mistral_mcp.errors import MistralMcpError
from mistral_mcp.http.hosts_and_origins import HostAndOrigin, allowed_hosts, allowed_origins
from mistral_mcp.http.uploads.file_reception import UPLOAD_PAGE_HEADERS, FileReception, OpenLinks
from mistral_mcp.http.uploads.local_upload_page import choose_language, render_page
from mistral_mcp.http.uploads.problems import describe
from mistral_mcp.http.uvicorn_protocol import ClientProtocol
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.settings import Settings
from mistral_mcp.upload_links import UploadedFile

_HOST = "127.0.0.1"
_STATIC = Path(__file__).parents[1] / "static"


@asynccontextmanager
async def serve_page(uploads: OpenLinks, settings: Settings) -> AsyncGenerator[str]:
    """Serve the page; yields its base URL. Signals are left to the process."""
    upstream = Upstream(settings)
    config = _config(_make_app(uploads, upstream))
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    try:
        # With the protocol named, asyncio switches Nagle's algorithm off.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
            listener.bind((_HOST, 0))
            await server.startup(sockets=[listener])
            await server.on_tick(0)
            try:
                yield f"http://{_HOST}:{listener.getsockname()[1]}"
            finally:
                with anyio.CancelScope(shield=True):
                    await server.shutdown(sockets=[listener])
    finally:
        with anyio.CancelScope(shield=True):
            await upstream.aclose()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        cast("Any", app),
        loop="asyncio",
        http=ClientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )


def _make_app(uploads: OpenLinks, upstream: Upstream) -> Starlette:
    pages = _LocalPages(uploads, upstream)
    # The settings of stdio do not matter here: only this machine can reach the page.
    local = Settings(host=_HOST)
    guard = Middleware(HostAndOrigin, hosts=allowed_hosts(local), origins=allowed_origins(local))
    return Starlette(
        routes=[*pages.routes(), Mount("/static", StaticFiles(directory=_STATIC))],
        middleware=[guard],
    )


@dataclass(frozen=True)
class _LocalPages(FileReception):
    def render(
        self,
        request: Request,
        status: int,
        *,
        files: Sequence[UploadedFile] = (),
        problem: str = "",
        ended: bool = False,
    ) -> Response:
        page = render_page(
            f"/uploads/{request.path_params['handle']}",
            _language_of(request),
            files,
            problem,
            ended=ended,
        )
        headers = {**UPLOAD_PAGE_HEADERS, "cache-control": "no-store", "x-content-type-options": "nosniff"}
        return HTMLResponse(page, status, headers)

    def describe(self, request: Request, error: MistralMcpError) -> str:
        return describe(error, _language_of(request))


def _language_of(request: Request) -> str:
    accepted = request.headers.get("accept-language", "")
    return choose_language(accepted, request.query_params.get("lang", ""))
