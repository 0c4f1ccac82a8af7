"""The HTTP app of the core: MCP at its endpoints, and health.

A request passes, in this order: the target's form, Host and Origin, credentials, the form and size of its body, the SDK.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext

import httpx2
from mcp.server import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mistral_mcp.credentials import from_scope
from mistral_mcp.http.bodies import Bodies
from mistral_mcp.http.byok import key_resolver, refuse_secret_url
from mistral_mcp.http.downloads import download_from
from mistral_mcp.http.endpoint import WANTS_PROGRESS, BrowserPage, CredentialResolver, McpEndpoint
from mistral_mcp.http.hosts_and_origins import HostAndOrigin, allowed_hosts, allowed_origins
from mistral_mcp.http.not_found import BYOK_WAY_IN, NotFound, no_connections_page, plain_page
from mistral_mcp.http.server_card import server_card_routes
from mistral_mcp.http.single_answers import SingleAnswers
from mistral_mcp.http.targets import Targets, public_path
from mistral_mcp.json_rpc import MessageReader
from mistral_mcp.kept_results import MemoryStore, ResultStore
from mistral_mcp.mistral.transports.aiohttp_wire import serving_wire
from mistral_mcp.mistral.transports.observing import ExchangeObserver
from mistral_mcp.mistral.transports.refused_keys import RefusedKeys
from mistral_mcp.selection import AllowedToolsets
from mistral_mcp.server import create_server
from mistral_mcp.settings import Settings
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.upload_links import UploadLinks
from mistral_mcp.usage.budgets import Budgets
from mistral_mcp.usage.ended_calls import CallObserver
from mistral_mcp.usage.ledger import Ledger

Lifespan = Callable[[], AbstractAsyncContextManager[object]]


def create_app(settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> Starlette:
    """The core's app: bring your own key, no vault."""
    endpoints = {"/mcp": key_resolver(settings), "/c/{token}/mcp": refuse_secret_url}
    pages = {"/mcp": plain_page, "/c/{token}/mcp": no_connections_page}
    used = RefusedKeys(transport or serving_wire(settings.network))
    store = MemoryStore(settings.result_ttl * 60, downloads=True)
    return assemble(
        settings,
        endpoints,
        pages,
        routes=[Route("/readyz", healthz), Route("/results/{handle}", download_from(store))],
        result_store=store,
        lifespan=nullcontext if transport else lambda: aclosing(used),
        way_in=BYOK_WAY_IN,
        transport=used,
    )


def assemble(
    settings: Settings,
    endpoints: Mapping[str, CredentialResolver],
    browser_pages: Mapping[str, BrowserPage],
    *,
    routes: Sequence[BaseRoute] = (),
    middleware: Sequence[Middleware] = (),
    lifespan: Lifespan = nullcontext,
    own_origin_check: frozenset[str] = frozenset(),
    signs_in: bool = False,
    way_in: str,
    not_found_page: BrowserPage | None = None,
    guard: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    result_store: ResultStore | None = None,
    upload_links: UploadLinks | None = None,
    exchange_observer: ExchangeObserver | None = None,
    observers: Sequence[CallObserver] = (),
    ledger: Ledger | None = None,
    budgets: Budgets | None = None,
    transport: httpx2.AsyncBaseTransport,
) -> Starlette:
    """The app: MCP at each endpoint (a path and its credential resolver), with the given additions.

    `browser_pages` are for people who open an endpoint, `not_found_page` for those who open another path, and `way_in` tells
    clients how to authenticate. `own_origin_check` are paths of pages that check a form's origin by themselves.
    `signs_in`: whether clients can use OAuth. `guard` wraps the app behind the credentials.
    `result_store`, `upload_links`, `exchange_observer`, `observers`, `ledger` and `budgets` are as in `create_server`.
    """
    # Local files are only for the user of a machine.
    server = create_server(
        settings.model_copy(update={"files_dir": None, "output_dir": None}),
        from_scope,
        transport,
        result_store=result_store,
        upload_links=upload_links,
        exchange_observer=exchange_observer,
        observers=observers,
        ledger=ledger,
        budgets=budgets,
    )
    events, single = (_session_manager(server, settings, single=each) for each in (False, True))
    mcp = _choose(events.handle_request, SingleAnswers(single.handle_request))
    allowed = AllowedToolsets.of(settings)
    bodies, messages = Bodies(settings.max_body), MessageReader(settings.max_body)

    @asynccontextmanager
    async def run(_: Starlette) -> AsyncGenerator[None]:
        # At shutdown it would cut all running responses at once; they end by themselves, and uvicorn waits.
        AppStatus.disable_automatic_graceful_drain()
        async with lifespan(), events.run(), single.run():
            yield

    mcp_routes = {
        path: McpEndpoint(guard(mcp), resolve, browser_pages[path], allowed, bodies, messages)
        for path, resolve in endpoints.items()
    }
    public_routes = server_card_routes(settings, signs_in=signs_in)
    app = Starlette(
        routes=[
            *(Route(path, endpoint) for path, endpoint in mcp_routes.items()),
            Route("/healthz", healthz),
            *public_routes,
            *routes,
            *(Route(path + "/", endpoint) for path, endpoint in mcp_routes.items()),
        ],
        middleware=[
            *middleware,
            Middleware(Targets, public_path=public_path(settings)),
            Middleware(
                HostAndOrigin,
                hosts=allowed_hosts(settings),
                origins=allowed_origins(settings),
                own_check=own_origin_check.union(route.path for route in public_routes),
            ),
        ],
        exception_handlers={HTTPException: NotFound(settings, way_in, not_found_page)},
        lifespan=run,
    )
    # Endpoints are served with a trailing slash as well: a redirect would repeat the token in the path.
    app.router.redirect_slashes = False
    return app


def _session_manager(
    server: MCPServer[Served], settings: Settings, *, single: bool
) -> StreamableHTTPSessionManager:
    """The SDK's endpoint, which answers with events, or with a `single` JSON body.

    Stateless: any replica can answer any request, and there is no session to steal.
    """
    server.streamable_http_app(
        json_response=single,
        stateless_http=True,
        max_request_body_size=2 * settings.max_body,  # checked before; a repaired body may be larger
        # Checked here for every path, before anything else.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return server.session_manager


def _choose(events: ASGIApp, single: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope[WANTS_PROGRESS]:
            app = events
        else:
            app = single
        await app(scope, receive, send)

    return answer


async def healthz(_: Request) -> Response:
    """The process is up."""
    return JSONResponse({"status": "ok"})
