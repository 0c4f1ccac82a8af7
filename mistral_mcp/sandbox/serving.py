"""Serve the sandbox, or any other ASGI app, on a real socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from mistral_mcp.sandbox.protocol.connection import ABORT

GRACE = 0.2
"""Seconds that requests in flight get to finish when the server closes."""


class BreakableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, extended so that the app can close the connection without a response.

    An app cannot do so otherwise: uvicorn answers 500 for an app that returns without a response.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the connection's `abort` into the ASGI scope of its requests."""
        connection = cast("asyncio.Transport", transport)
        super().connection_made(connection)
        inner = cast("ASGIApp", self.app)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[ABORT] = connection.abort
            await inner(scope, receive, send)

        self.app = cast("Any", app)


@contextlib.asynccontextmanager
async def serve_app(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0, http: type[asyncio.Protocol] = BreakableProtocol
) -> AsyncGenerator[str]:
    """Serve the app in the running event loop, and yield its base URL. Port 0 picks a free one; `http` is uvicorn's protocol class.

    On exit, requests in flight get `GRACE` seconds to finish; then their connections are closed.
    """
    config = _config(app, http)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with _bind(host, port) as listener:
        await server.startup(sockets=[listener])
        await server.on_tick(0)
        number = listener.getsockname()[1]
        try:
            yield f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"
        finally:
            await _close(server)


def run(app: ASGIApp, host: str = "127.0.0.1", port: int = 8787, ready: Callable[[], None] = lambda: None) -> None:
    """Serve the app until a signal stops it; `ready` is called once the port is bound. Raises OSError if the port is in use."""
    with _bind(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        ready()
        uvicorn.Server(_config(app)).run(sockets=[listener])


def _config(app: ASGIApp, http: type[asyncio.Protocol] = BreakableProtocol) -> uvicorn.Config:
    return uvicorn.Config(
        cast("Any", app),
        loop="asyncio",
        http=http,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _bind(host: str, port: int) -> socket.socket:
    # IPPROTO_TCP is explicit because asyncio disables Nagle's algorithm only then. With Nagle, each reply waits
    # 40 ms for the acknowledgement of its headers.
    family = socket.AF_INET
    if ":" in host:
        family = socket.AF_INET6
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


async def _close(server: uvicorn.Server) -> None:
    """Like `Server.shutdown`, without its polling every tenth of a second."""
    for listener in server.servers:
        listener.close()

    state = server.server_state
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=GRACE)

    for connection in list(state.connections):
        cast("Any", connection).transport.abort()
    await asyncio.sleep(0)
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=GRACE)

    for task in list(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
    await server.lifespan.shutdown()
