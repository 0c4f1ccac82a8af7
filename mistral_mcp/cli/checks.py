"""The checks of `mistral-mcp doctor`, from the key to the vault, with advice for failures."""

import os
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

from pydantic import SecretStr

from mistral_mcp.cli import upstream_checks
from mistral_mcp.cli.findings import Finding
from mistral_mcp.credentials import validate_user_key
from mistral_mcp.errors import MistralMcpError, RefusedCredential
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.settings import Settings

CountConnections = Callable[[Settings], Awaitable[int]]
"""Opens the vault and counts its connections; passed in, because the vault is an extra."""


async def examine(
    settings: Settings,
    key: SecretStr | None,
    count_connections: CountConnections | None,
    begin: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[Finding]:
    """Run the checks, and yield each finding; `begin` is called before checks that may take long."""
    yield Finding("route", "ok", f"{settings.route}, to {settings.route.name}")
    pays = settings.route.pays(settings.route_token)
    checked_key = _check_key(key, pays=pays)
    yield checked_key
    if checked_key.state == "failed":
        key = None  # not sent to an unknown host
    caller = Caller.of(key, "MISTRAL_API_KEY", settings.route, settings.route_token)
    async for finding in upstream_checks.check_network(settings.network, caller, begin):
        yield finding
    if key is None and not pays:
        yield Finding("mistral", "skipped", "it takes a key to ask Mistral")
    else:
        begin("mistral")
        async for finding in upstream_checks.check_mistral(settings, caller):
            yield finding
    for finding in _check_files_dir(settings):
        yield finding
    begin("vault")
    yield await _check_vault(settings, count_connections)


def _check_key(key: SecretStr | None, *, pays: bool) -> Finding:
    if key is None:
        if pays:
            return Finding("key", "skipped", "MISTRAL_API_KEY is not set; the route pays by its own token")
        return Finding(
            "key",
            "failed",
            "MISTRAL_API_KEY is not set; create a key at https://console.mistral.ai, in API keys, and set it",
        )
    try:
        validate_user_key(key, "MISTRAL_API_KEY")
    except RefusedCredential as error:
        return Finding("key", "failed", str(error))
    return Finding("key", "ok", f"MISTRAL_API_KEY is set, ends in {key.get_secret_value()[-2:]}")


def _check_files_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.files_dir
    if folder is None:
        return
    if folder.is_dir():
        yield Finding("files", "ok", f"local files may be read from {folder}")
    else:
        yield Finding("files", "failed", f"FILES_DIR is not a folder: {folder}")


async def _check_vault(settings: Settings, count_connections: CountConnections | None) -> Finding:
    if count_connections is None:
        return Finding("vault", "skipped", "not installed; it comes with mistral-mcp[hosting]")
    folder = settings.data_dir
    if settings.database_url is None and (folder is None or not folder.exists()):
        return Finding("vault", "skipped", "none yet; serve creates one")
    readable = _readable_by_others(settings)
    if readable:
        return Finding("vault", "failed", f"others can read {', '.join(readable)} in {folder}; chmod 600 them")
    try:
        return Finding("vault", "ok", f"{await count_connections(settings)} connections")
    except MistralMcpError as error:
        return Finding("vault", "failed", str(error))


def _readable_by_others(settings: Settings) -> list[str]:
    """The files of the vault's folder that other users can read; empty on systems without modes."""
    folder = settings.data_dir
    if os.name != "posix" or folder is None or not folder.exists():
        return []
    return [path.name for path in folder.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077]
