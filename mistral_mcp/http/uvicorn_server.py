"""uvicorn as `serve` runs it."""

import sys
from contextlib import suppress
from typing import Any

import uvicorn

from mistral_mcp.http.listener import BoundedListener, ConnectionLimits, available_connections
from mistral_mcp.settings import Settings

_GRACE = 30
"""Seconds that running requests get at shutdown."""
_KEEP_ALIVE = 75
"""Seconds; longer than proxies' own timeout, or they would use connections that just closed."""


def run(app: Any, settings: Settings) -> None:
    """Serve until a signal ends it. `app` is an import string of a factory if there are several workers."""
    config = uvicorn.Config(
        app,
        factory=settings.workers > 1,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        # Named, so that other installed packages change nothing.
        loop="asyncio",
        http="mistral_mcp.http.uvicorn_protocol:ClientProtocol",
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    limits = ConnectionLimits(available_connections(settings.max_sockets), settings.trusted_proxies)
    listener = config.bind_socket()
    if sys.platform != "win32":
        listener = BoundedListener(listener, limits)
    if settings.workers > 1:
        from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - brings multiprocessing, half a megabyte

        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)
