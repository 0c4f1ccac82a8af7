"""The core's HTTP app with the vault's doors, calls and pages added to it."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mistral_mcp.credentials import Credentials, from_headers, is_token, own_key
from mistral_mcp.errors import (
    AmbiguousCredential,
    MissingCredential,
    RefusedCredential,
    RevokedOrExpired,
    TooManyFailures,
    VaultUnavailable,
)
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.hosting.web.connect import Connect
from mistral_mcp.hosting.web.metrics import Metrics, Observed
from mistral_mcp.hosting.web.pages import Pages
from mistral_mcp.hosting.web.throttle import Throttle
from mistral_mcp.http.app import assemble
from mistral_mcp.http.responses import error_response
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports.aiohttp_wire import wire
from mistral_mcp.settings import Settings


def create_app(settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> Starlette:
    """The hosted app. The vault opens when the server starts; a start that cannot be raises `BadSetting`."""
    hosted = Hosted(settings, transport)
    connect = Connect(hosted)
    pages = Pages(hosted, connect)
    middleware = [Middleware(Observed, metrics=hosted.metrics)]
    if settings.trusted_proxies:
        # Outermost, so that all below see the client's address rather than the proxy's.
        middleware.insert(0, Middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies)))
    return assemble(
        settings,
        {"/mcp": hosted.by_header, "/c/{token}/mcp": hosted.by_url},
        routes=[
            *connect.routes(),
            *pages.routes(),
            Route("/readyz", hosted.readyz),
            Route("/metrics", hosted.metrics.page(settings.metrics_token)),
        ],
        middleware=middleware,
        lifespan=hosted.open,
        own_origin_check=pages.paths,
        browser_page=pages.address,
        transport=hosted.wire,
    )


async def prepared(settings: Settings) -> Starlette:
    """The same, after a look at what would stop a start, the vault's migrations included. Raises `BadSetting`."""
    app = create_app(settings)  # before anything is made on disk
    async with Vault.open(settings):
        return app


class Hosted:
    """What the parts of one hosted process share, and the two doors of its vault."""

    def __init__(self, settings: Settings, transport: httpx2.AsyncBaseTransport | None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.upstream: Upstream
        self.vault: Vault
        self.wire = transport or wire()
        self._throttle = Throttle()
        self._transport = transport

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """From here on there is a vault, and a way to Mistral of its own to check keys with."""
        self.upstream = Upstream(self.settings, self.wire)
        try:
            async with Vault.open(self.settings) as self.vault:
                yield
        finally:
            await self.upstream.aclose()
            if self._transport is None:
                await self.wire.aclose()

    async def by_header(self, request: HTTPConnection) -> Credentials:
        """A token of the vault's, or the caller's own key."""
        secret, source = from_headers(request.headers)
        with self.guarding(request):
            if is_token(secret):
                return await self.vault.credentials(secret, "this connection")
            if not self.settings.byok:
                raise RefusedCredential("This server takes no Mistral keys.", "Send a connection's token.")
            return own_key(secret, source)

    async def by_url(self, request: HTTPConnection) -> Credentials:
        """The secret URL. A header beside it must carry the same token, or none."""
        token = SecretStr(request.path_params["token"])
        try:
            beside, _ = from_headers(request.headers)
        except MissingCredential:
            beside = token
        except RefusedCredential:
            beside = None
        if beside != token:
            raise AmbiguousCredential(
                "The request carries another credential beside the secret URL.", "Send no header with this URL."
            )
        # Never 401: clients would look for a sign-in, and copy the token into other addresses on the way.
        with self.guarding(request, ended=410, unknown=404):
            return await self.vault.credentials(token, "this connection")

    @contextmanager
    def guarding(self, request: HTTPConnection, *, ended: int = 401, unknown: int = 401) -> Generator[None]:
        """Refusals get the status of the door they were met at, and are held down per address."""
        try:
            yield
        except (RevokedOrExpired, RefusedCredential) as error:
            error.status = ended if isinstance(error, RevokedOrExpired) else unknown
            self.failed(request, type(error).__name__)
            raise

    def failed(self, request: HTTPConnection, why: str) -> None:
        """Count a failure. Raises `TooManyFailures` where its address has had too many."""
        self.metrics.refused.labels(why).inc()
        _refuse_for(self._throttle.failed(_address(request)))

    def hold_down(self, request: HTTPConnection) -> None:
        """For what may be guessed in few tries. Raises `TooManyFailures` where the address has had too many."""
        _refuse_for(self._throttle.wait(_address(request)))

    async def readyz(self, _: Request) -> Response:
        """The vault can be reached."""
        try:
            await self.vault.ready()
        except VaultUnavailable as error:
            return error_response(error)
        return JSONResponse({"status": "ready"})


def _address(request: HTTPConnection) -> str:
    return request.client.host if request.client else "unknown"


def _refuse_for(seconds: float | None) -> None:
    if seconds is not None:
        raise TooManyFailures(seconds)
