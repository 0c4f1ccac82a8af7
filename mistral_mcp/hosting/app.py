"""The core's HTTP app with the vault: MCP endpoints for connections, JSON endpoints and pages to manage them."""

import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.monitoring.calls import CallMetrics
from mistral_mcp.hosting.monitoring.exchanges import ExchangeMetrics
from mistral_mcp.hosting.monitoring.metrics import Metrics
from mistral_mcp.hosting.monitoring.requests import RequestObserver
from mistral_mcp.hosting.oauth.client_documents import ClientDocuments
from mistral_mcp.hosting.oauth.clients import Clients
from mistral_mcp.hosting.oauth.endpoints import OAuthEndpoints
from mistral_mcp.hosting.usage.owners import vault_budgets, vault_ledger
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.hosting.web.api import ConnectionApi
from mistral_mcp.hosting.web.connect import Tenancy
from mistral_mcp.hosting.web.consent import ConsentPage
from mistral_mcp.hosting.web.downloads import Downloads
from mistral_mcp.hosting.web.pages import connect_page, manage_page
from mistral_mcp.hosting.web.pages.connect_page import ConnectPage
from mistral_mcp.hosting.web.pages.legal import legal_routes
from mistral_mcp.hosting.web.pages.manage_page import ManagePage
from mistral_mcp.hosting.web.pages.notices import Notices
from mistral_mcp.hosting.web.pages.rendering import Renderer
from mistral_mcp.hosting.web.resolvers import Resolvers
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.hosting.web.running import RunningRequests
from mistral_mcp.hosting.web.throttle import Throttle
from mistral_mcp.hosting.web.uploads import UploadPages
from mistral_mcp.http.app import assemble
from mistral_mcp.http.responses import error_response
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports.aiohttp_wire import serving_wire
from mistral_mcp.mistral.transports.refused_keys import RefusedKeys
from mistral_mcp.route import LOOPBACK
from mistral_mcp.settings import Settings

_SHORT_CODE = 12  # characters
_CHECK_TIMEOUT = 10  # seconds
_OWN_ORIGIN_CHECK = frozenset({connect_page.PATH, manage_page.PATH})

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    transport: httpx2.AsyncBaseTransport | None = None,
    client_documents: ClientDocuments | None = None,
) -> Starlette:
    """The hosted app. The vault opens when the server starts; a failing start raises `BadSetting`.

    `transport` leads to Mistral, `client_documents` to the metadata documents of OAuth clients.
    """
    own_wire = transport or serving_wire(settings.network)
    to_mistral = RefusedKeys(own_wire)
    metrics = Metrics()
    calls = CallMetrics(metrics)
    throttle = Throttle(lambda reason: metrics.refused(reason).inc())
    vault = Vault(settings)
    exchanges = ExchangeMetrics(metrics)
    upstream = Upstream(settings, to_mistral, exchanges)  # for people's uploads
    check = {"max_retries": 0, "timeout": min(settings.timeout, _CHECK_TIMEOUT)}
    checking = Upstream(settings.model_copy(update=check), to_mistral, exchanges)  # a person waits for the page
    holder = secrets.token_hex(8)
    ledger = vault_ledger(settings, vault, holder)
    tenancy = Tenancy(settings, vault, checking, to_mistral, throttle, metrics, ledger)
    renderer = Renderer(settings, lambda: vault.derive_keys("form stamps"))
    notices = Notices(tenancy, renderer)
    clients = Clients(vault.registered_clients, client_documents or ClientDocuments())
    oauth_endpoints = OAuthEndpoints(
        settings,
        vault,
        clients,
        lambda request: throttle.count_registration(client_address(request)),
        lambda request: throttle.may_fetch(client_address(request)),
    )
    oauth = _oauth_routes(oauth_endpoints, tenancy, renderer)
    resolvers = Resolvers(settings, vault, to_mistral, throttle)
    running = RunningRequests(vault.find_invalid)

    @asynccontextmanager
    async def lifespan() -> AsyncGenerator[None]:
        try:
            async with vault.running(), anyio.create_task_group() as tasks:
                tasks.start_soon(running.watch)
                yield
                tasks.cancel_scope.cancel()
        finally:
            await upstream.aclose()
            await checking.aclose()
            if transport is None:
                await own_wire.aclose()

    async def readyz(_: Request) -> Response:
        try:
            await vault.check_ready()
        except VaultUnavailable as error:
            return error_response(error)
        return JSONResponse({"status": "ready"})

    middleware = [Middleware(RequestObserver, metrics=metrics)]
    if settings.trusted_proxies:
        # Outermost, so that all others see the client's address rather than the proxy's.
        middleware.insert(0, Middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies)))
    return assemble(
        settings,
        {"/mcp": resolvers.by_header, "/c/{token}/mcp": resolvers.by_url},
        {"/mcp": notices.endpoint, "/c/{token}/mcp": notices.secret_url},
        routes=[
            *ConnectionApi(tenancy).routes(),
            *ConnectPage(tenancy, renderer).routes(),
            *ManagePage(tenancy, renderer).routes(),
            renderer.static_files(),
            *legal_routes(settings, notices),
            *oauth,
            *Downloads(vault.results).routes(),
            *UploadPages(vault.uploads, upstream, renderer).routes(),
            Route("/readyz", readyz),
            Route("/metrics", metrics.page(settings.metrics_token, ledger.ended.settle)),
        ],
        middleware=middleware,
        lifespan=lifespan,
        own_origin_check=_OWN_ORIGIN_CHECK | {path for route in oauth if (path := getattr(route, "path", ""))},
        signs_in=settings.oauth,
        way_in="Create a connection at / of this server, or send your Mistral key there as X-Mistral-Api-Key.",
        not_found_page=notices.not_found,
        guard=lambda app: running.guard(resolvers.count_refused_keys(resolvers.ask_for_scope(app))),
        result_store=vault.results,
        upload_links=vault.uploads,
        exchange_observer=exchanges,
        observers=[calls],
        ledger=ledger,
        budgets=vault_budgets(settings, vault, holder, ledger),
        transport=to_mistral,
    )


def _oauth_routes(endpoints: OAuthEndpoints, tenancy: Tenancy, renderer: Renderer) -> list[BaseRoute]:
    if not endpoints.settings.oauth:
        return []
    return [*endpoints.routes(), *ConsentPage(endpoints, tenancy, renderer).routes()]


async def prepare(settings: Settings) -> Starlette:
    """The hosted app, after checking what would stop a start, including the vault's migrations. Raises `BadSetting`."""
    app = create_app(settings)  # before anything is created on disk
    _warn_about(settings)
    async with Vault.open(settings):
        return app


def _warn_about(settings: Settings) -> None:
    """Log warnings about settings that work but weaken the safety of tenants' keys."""
    if settings.host not in LOOPBACK and not (settings.public_url or "").startswith("https://"):
        _log.warning("Secret URLs and keys are sent unencrypted: use a proxy with TLS, and set PUBLIC_URL.")
    if "*" in settings.allowed_hosts and not settings.public_url:
        _log.warning("ALLOWED_HOSTS=* without PUBLIC_URL: secret URLs have whatever Host a client sends.")
    if settings.signup_code and len(settings.signup_code.get_secret_value()) < _SHORT_CODE:
        _log.warning("SIGNUP_CODE is short enough to be guessed; create a better one with `openssl rand -hex 16`.")
