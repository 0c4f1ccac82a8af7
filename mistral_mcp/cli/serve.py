"""`mistral-mcp serve`."""

import logging
import os
import sys
from typing import TYPE_CHECKING

import click

from mistral_mcp.cli.environment import (
    forbid_core_dumps,
    free_requests_at_once,
    gc_frozen_during_startup,
    has_hosting,
    hide_rich,
    import_aiohttp,
    release_garbage,
    start,
)
from mistral_mcp.cli.options import (
    API_KEY,
    HOSTING,
    HTTP,
    LOGS,
    PREFIX,
    TOOLS,
    UPSTREAM,
    settings_options,
    url_host,
)
from mistral_mcp.errors import BadSetting
from mistral_mcp.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

log = logging.getLogger("mistral_mcp")


@click.command()
@settings_options(*HTTP, *UPSTREAM, *TOOLS, *HOSTING, *LOGS)
def serve(**given: object) -> None:
    """Serve MCP over HTTP.

    At /mcp with callers' own keys; with the extra [hosting] also with stored connections, at secret URLs and with a
    connect page.
    """
    settings = start(given)
    if os.environ.get(API_KEY) or os.environ.get(f"{API_KEY}_FILE"):
        log.warning("MISTRAL_API_KEY is ignored: callers of serve bring their own keys.")
    if settings.route.kind == "lava" and (settings.byok or settings.signup == "open"):
        raise BadSetting(
            "ROUTE=lava:// pays with ROUTE_TOKEN, so anybody who can reach this server would spend your money.",
            "Set BYOK=false and SIGNUP=code or off.",
        )

    forbid_core_dumps()
    with gc_frozen_during_startup(), hide_rich():
        import_aiohttp()
        free_requests_at_once()
        from mistral_mcp.http.uvicorn_server import run  # noqa: PLC0415

        app = _app(settings, prepare=True)
        release_garbage()
    # Workers are separate processes that read the settings again, so the options go into their environment.
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in given.items() if value is not None})
    _log_address(settings)
    try:
        run(app if settings.workers == 1 else "mistral_mcp.cli.serve:worker", settings)
    except SystemExit as ended:
        sys.exit(1 if ended.code else 0)  # uvicorn has its own codes, and has logged the reason


def worker() -> "Starlette":
    """The app of one worker."""
    settings = start({})
    forbid_core_dumps()
    with gc_frozen_during_startup(), hide_rich():
        import_aiohttp()
        free_requests_at_once()
        app = _app(settings, prepare=False)
        release_garbage()
    return app


def _app(settings: Settings, *, prepare: bool) -> "Starlette":
    """The hosted app if the extra is installed, else the core's. `prepare`: check now what would stop the start."""
    if not has_hosting():
        from mistral_mcp.http.app import create_app  # noqa: PLC0415

        if prepare:
            log.info("Callers bring their own keys; for stored connections install mistral-mcp[hosting].")
        return create_app(settings)

    import anyio  # noqa: PLC0415

    from mistral_mcp.hosting import app  # noqa: PLC0415

    if prepare:
        return anyio.run(app.prepare, settings)
    return app.create_app(settings)


def _log_address(settings: Settings) -> None:
    """Log the URL: uvicorn's own log is off, since it could hold paths, and does not know PUBLIC_URL."""
    if settings.port == 0:  # only uvicorn knows it
        logging.getLogger("uvicorn.error").setLevel(logging.INFO)
        return
    base = settings.public_url or f"http://{url_host(settings.host)}:{settings.port}"
    if has_hosting():
        log.info("Serving MCP at %s/mcp, the connect page at %s/.", base, base)
    else:
        log.info("Serving MCP at %s/mcp.", base)
