"""The HTTP front of the core: /mcp, whose credentials, which hosts, how large a body, and health.

Everything a client may see here is shaped as JSON-RPC, so that it can show the message. A request passes, in this order:
Host and Origin, credentials, body limit, the SDK.
"""

import asyncio
import json
import math
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import h11
import httpx2
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from mistral_mcp.credentials import SCOPE as CREDENTIALS
from mistral_mcp.credentials import Credentials, from_headers, from_scope, is_token, own_key
from mistral_mcp.errors import (
    BadSetting,
    CredentialError,
    NothingSelected,
    RefusedCredential,
    VaultUnavailable,
)
from mistral_mcp.mistral.transports.aiohttp_wire import wire
from mistral_mcp.route import LOOPBACK
from mistral_mcp.selection import SCOPE as SELECTION
from mistral_mcp.selection import AllowedToolsets
from mistral_mcp.server import create_server
from mistral_mcp.settings import Settings

FindCredentials = Callable[[HTTPConnection], Awaitable[Credentials]]
"""Gives an HTTP request's credentials, or raises a `CredentialError`."""

Lifespan = Callable[[], AbstractAsyncContextManager[object]]


def create_app(settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> Starlette:
    """The core's app: bring your own key, no vault."""
    doors = {"/mcp": bring_your_own(settings), "/c/{token}/mcp": _no_connection}
    routes = [Route("/readyz", healthz)]
    if transport:
        return assemble(settings, doors, routes=routes, transport=transport)
    own = wire()
    return assemble(settings, doors, routes=routes, lifespan=lambda: aclosing(own), transport=own)


def assemble(
    settings: Settings,
    doors: Mapping[str, FindCredentials],
    *,
    routes: Sequence[BaseRoute] = (),
    middleware: Sequence[Middleware] = (),
    lifespan: Lifespan = nullcontext,
    own_origin_check: frozenset[str] = frozenset(),
    for_browsers: Callable[[], Response] | None = None,
    transport: httpx2.AsyncBaseTransport,
) -> Starlette:
    """The app: MCP at each door, a path and its way to find credentials, and whatever is added to it.

    `own_origin_check` are paths of pages that check by themselves where a form came from; `for_browsers` is what a
    person sees who opens a door.
    """
    # Local files are for the one person at a machine.
    server = create_server(settings.model_copy(update={"files_dir": None}), from_scope, transport)
    # Stateless: any replica answers any request, and no caller's session can be reached by another.
    server.streamable_http_app(
        stateless_http=True,
        max_request_body_size=settings.max_body,
        # Checked here for every path, before anything else.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    mcp, bound = server.session_manager, AllowedToolsets.of(settings)

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncGenerator[None]:
        # It would cut every answer under way at once where uvicorn is told to end; each ends by itself, and uvicorn waits.
        AppStatus.disable_automatic_graceful_drain()
        async with lifespan(), mcp.run():
            yield

    front = Middleware(
        HostAndOrigin,
        hosts=allowed_hosts(settings),
        origins=allowed_origins(settings),
        own_check=own_origin_check,
    )
    endpoints = {
        path: McpEndpoint(mcp.handle_request, find, bound, for_browsers or _for_browsers)
        for path, find in doors.items()
    }
    app = Starlette(
        routes=[
            *(Route(path, endpoint) for path, endpoint in endpoints.items()),
            Route("/healthz", healthz),
            *routes,
            # With a slash at their ends as well: to be sent elsewhere with a token in the path is worse.
            *(Route(path + "/", endpoint) for path, endpoint in endpoints.items()),
        ],
        middleware=[*middleware, front],
        lifespan=running,
    )
    app.router.redirect_slashes = False
    return app


def bring_your_own(settings: Settings) -> FindCredentials:
    """Callers' own Mistral keys, in headers, for the request and never stored."""

    async def find(request: HTTPConnection) -> Credentials:
        secret, source = from_headers(request.headers)
        if is_token(secret):
            raise RefusedCredential(
                f"{source.capitalize()} carries a connection's token, and this server keeps no connections.",
                "Send your Mistral key instead.",
            )
        if not settings.byok:
            raise RefusedCredential("This server takes no Mistral keys.", "Ask its operator for a connection.")
        return own_key(secret, source)

    return find


async def _no_connection(_: HTTPConnection) -> Credentials:
    error = RefusedCredential("This server keeps no connections.", "Send your Mistral key to /mcp instead.")
    error.status = HTTPStatus.NOT_FOUND
    raise error


async def healthz(_: Request) -> Response:
    """The process is up."""
    return JSONResponse({"status": "ok"})


class McpEndpoint:
    """Resolves the credentials of each request, before its body is read, and hands it to the SDK."""

    def __init__(
        self, app: ASGIApp, find: FindCredentials, bound: AllowedToolsets, for_browsers: Callable[[], Response]
    ) -> None:
        self.app = app
        self.find = find
        self.bound = bound
        self.for_browsers = for_browsers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        if scope["method"] != "POST":
            # 2025 clients ask for a standing stream; there is nothing to send on it, and it would be held for ever.
            answer = self.for_browsers() if _is_browser(request) else refusal(405, _PASTE, {"allow": "POST"})
            await answer(scope, receive, send)
            return
        try:
            credentials = await self.find(request)
            selection = self.bound.select(credentials, request.headers, request.query_params)
        except (CredentialError, VaultUnavailable, NothingSelected) as error:
            await refused(error)(scope, receive, send)
            return
        # The path may hold a token.
        found = {"path": "/mcp", "raw_path": b"/mcp", CREDENTIALS: credentials, SELECTION: selection}
        await self.app({**scope, **found}, receive, _shaped(send))


def _shaped(send: Send) -> Send:
    """The SDK's own refusals: all as JSON-RPC, and none with a dump of what the caller sent."""
    start: Message | None = None
    body = b""

    async def shaped(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
            start = message
            return
        if start is not None:
            body += message.get("body", b"")
            if message.get("more_body", False):
                return
            body = _in_json_rpc(start["status"], body)
            kept = [header for header in start["headers"] if header[0] not in {b"content-type", b"content-length"}]
            described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({**start, "headers": kept + described})
            message = {"type": "http.response.body", "body": body}
        await send(message)

    return shaped


def _in_json_rpc(status: int, body: bytes) -> bytes:
    try:
        answer = json.loads(body)
        if "\n" in answer["error"]["message"]:  # pydantic's
            answer["error"]["message"] = "The body is no JSON-RPC message."
            return json.dumps(answer).encode()
    except (ValueError, TypeError, KeyError):
        return bytes(refusal(status, body.decode("utf-8", "replace")).body)
    return body


_PASTE = "This is the address of an MCP server: paste it into your MCP client."


def _is_browser(request: HTTPConnection) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _for_browsers() -> Response:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>MCP server</title><h1>Paste this address into your MCP client</h1><p>{_PASTE} "
        "In Claude, for example: Settings, Connectors, Add custom connector. Treat the address like a password.</p>"
    )
    headers = {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'",
    }
    return Response(page, 200, headers, "text/html")


def refused(error: CredentialError | VaultUnavailable | NothingSelected) -> Response:
    """What a client is told that may not come in."""
    headers = {"www-authenticate": 'Bearer realm="mistral-mcp"'} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    return refusal(error.status, str(error), headers)


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """An answer the client can show: a JSON-RPC error, under the HTTP status as its code."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": status, "message": message}}
    return Response(json.dumps(body), status, headers, "application/json")


class Front(H11Protocol):
    """How `serve` treats a client's connection: uvicorn's HTTP/1.1 by h11.

    httptools would make a call a tenth cheaper. But with uvicorn it loses the body of a request that offers an upgrade, as
    Java's do, takes trailers for headers, and keeps heads and trailers of any size.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Switch Nagle's algorithm off, as asyncio does for its own sockets, but not for those that uvicorn's workers share.

        With it the body of each reply waits 40 ms for the acknowledgement of the headers.
        """
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(cast("asyncio.Transport", transport))

    def send_400_response(self, msg: str) -> None:
        """For what is no HTTP; unless its request was answered already, before the rest of it came."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()


class HostAndOrigin:
    """Refuses requests for other hosts and from other sites' pages: DNS rebinding, cross-site calls.

    Health checks come with whatever Host the prober knows.
    """

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str], origins: frozenset[str], own_check: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.origins = origins
        self.own_check = own_check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in {"/healthz", "/readyz"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").strip().lower(), headers.get("origin", "").strip().lower()
        if not _listed(host, self.hosts):
            answer = refusal(421, "This server does not answer to that Host; its operator can add it to ALLOWED_HOSTS.")
            await answer(scope, receive, send)
            return
        if origin and not _listed(origin, self.origins) and scope["path"] not in self.own_check:
            answer = refusal(403, "Requests from that Origin are refused; the operator can add it to ALLOWED_ORIGINS.")
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _listed(value: str, allowed: frozenset[str]) -> bool:
    """Exactly, or with any port where `:*` is listed."""
    host, _, port = value.rpartition(":")
    return value in allowed or "*" in allowed or (port.isdecimal() and f"{host}:*" in allowed)


_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Host headers that are answered. Raises `BadSetting` where the server would be reachable under any name."""
    hosts = {host.lower() for host in settings.allowed_hosts}
    if settings.public_url:
        hosts.add(urlsplit(settings.public_url).netloc.lower())
    if not hosts and settings.host not in LOOPBACK:
        raise BadSetting(
            f"HOST is {settings.host}, beyond loopback, and neither PUBLIC_URL nor ALLOWED_HOSTS is set.",
            "Set one, so that the server knows the names it answers to.",
        )
    return frozenset(hosts | {form for name in _LOCAL for form in (name, f"{name}:*")})


def allowed_origins(settings: Settings) -> frozenset[str]:
    """Origins whose pages may call: the server's own, this machine's, and those listed."""
    origins = {origin.lower() for origin in settings.allowed_origins}
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        origins.add(f"{parts.scheme}://{parts.netloc}".lower())
    return frozenset(origins | {form for name in _LOCAL for form in (f"http://{name}", f"http://{name}:*")})
