"""`mistral-mcp` and `mistral-mcp stdio`."""

import os
import signal
import sys

import click

from mistral_mcp.cli.environment import (
    api_key,
    free_requests_at_once,
    gc_frozen_during_startup,
    has_browser,
    hide_rich,
    start,
    users_cache_dir,
)
from mistral_mcp.cli.options import LOGS, PREFIX, STDIO, settings_options
from mistral_mcp.errors import BadSetting


@click.command()
@settings_options(*STDIO, *LOGS)
def stdio(**given: object) -> None:
    """Serve MCP over stdio, as without a command.

    The Mistral key comes from MISTRAL_API_KEY.
    """
    settings = start(given)
    if settings.files_dir is not None and not settings.files_dir.is_dir():
        raise BadSetting(f"{PREFIX}FILES_DIR cannot be used: there is no such folder.")
    key = api_key(os.environ)
    with gc_frozen_during_startup(), hide_rich():
        free_requests_at_once()
        import anyio  # noqa: PLC0415 - commands import what they need: stdio must start fast

        from mistral_mcp.credentials import from_key  # noqa: PLC0415
        from mistral_mcp.http.uploads.local_uploads import LocalUploads  # noqa: PLC0415
        from mistral_mcp.kept_results import FolderStore  # noqa: PLC0415
        from mistral_mcp.server import create_server  # noqa: PLC0415
        from mistral_mcp.usage.file import FileUsage  # noqa: PLC0415
        from mistral_mcp.usage.ledger import Ledger, digest_of_key  # noqa: PLC0415

        cache = FolderStore(users_cache_dir(os.environ) / "results", settings.result_ttl * 60)
        if settings.output_dir:
            store = FolderStore(settings.output_dir, None)
        else:
            store = cache
        ledger = None
        if settings.data_dir:
            ledger = Ledger(FileUsage(settings.data_dir / "usage.db"), digest_of_key)
        uploads = LocalUploads(settings)
        server = create_server(
            settings,
            from_key(key),
            result_store=store,
            upload_links=uploads if has_browser(os.environ) else None,
            ledger=ledger,
        )
    # A thread blocks in a read of stdin, which Python's own handler of Ctrl-C would not end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdin.isatty():
        click.echo(
            "mistral-mcp waits for an MCP client on stdin; end it with Ctrl-C. `mistral-mcp install HOST` adds it to a "
            "client, `mistral-mcp demo` shows what it does, `mistral-mcp --help` lists the rest.",
            err=True,
        )

    async def serve() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(cache.sweep_regularly)
            await group.start(uploads.run)
            await server.run_stdio_async()
            group.cancel_scope.cancel()

    anyio.run(serve)
