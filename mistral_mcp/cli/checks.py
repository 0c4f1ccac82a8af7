"""`mistral-mcp doctor`: one line a check, from the key to the vault, with what to do where one fails."""

import json
import os
import socket
import ssl
import stat
import textwrap
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx2
from pydantic import SecretStr

from mistral_mcp.credentials import own_key
from mistral_mcp.errors import BadSetting, MistralMcpError, RefusedCredential, UnsupportedByRoute
from mistral_mcp.mistral.api.models import ListModelsCall, ModelList
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports import routes
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.mistral.transports.wire import Wire, tls_context
from mistral_mcp.network import Network
from mistral_mcp.settings import Settings

State = Literal["ok", "failed", "skipped"]

_SLOW = 2.0  # seconds
_SKEW = 60.0  # seconds a clock may be off


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    state: State
    detail: str


Count = Callable[[Settings], Awaitable[int]]
"""Opens the vault and counts its connections; handed in, because the vault is an extra."""


async def examine(
    settings: Settings,
    key: SecretStr | None,
    connections: Count | None,
    begin: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[Finding]:
    """Every check, as soon as it is done; `begin` hears of those that may take long, when they begin."""
    yield Finding("route", "ok", f"{settings.route}, to {settings.route.name}")
    pays = settings.route.pays(settings.route_token)
    if key is not None:
        try:
            own_key(key, "MISTRAL_API_KEY")
        except RefusedCredential as error:
            yield Finding("key", "failed", str(error))
            key = None  # it goes nowhere
        else:
            yield Finding("key", "ok", f"MISTRAL_API_KEY is set, ends in {key.get_secret_value()[-2:]}")
    else:
        state: State = "skipped" if pays else "failed"
        yield Finding(
            "key", state, "MISTRAL_API_KEY is not set" + ("; the route pays by its own token" if pays else "")
        )
    caller = Caller.of(key, "MISTRAL_API_KEY", settings.route, settings.route_token)
    async for finding in _network(settings.network, caller, begin):
        yield finding
    if key is not None or pays:
        begin("mistral")
        async for finding in _mistral(settings, caller):
            yield finding
    if settings.files_dir is not None:
        yield _files_dir(settings)
    begin("vault")
    yield await _vault(settings, connections)


async def _network(network: Network, caller: Caller, begin: Callable[[str], None]) -> AsyncGenerator[Finding]:
    """Whether this machine reaches the host of the route, and what of its network settings cannot be used."""
    host, port, tls = _address(caller)
    try:
        proxy = network.proxy_for("https" if tls else "http", host, port)
        context = tls_context(network)
    except BadSetting as error:
        yield Finding("network", "failed", str(error))
        return
    if proxy is not None:
        yield Finding("dns", "skipped", "calls go through the environment's proxy")
        return
    begin("dns")
    yield await _tried("dns", _dns, host, port)
    if tls:
        begin("tls")
        yield await _tried("tls", partial(_tls, context), host, port)


def _address(caller: Caller) -> tuple[str, int, bool]:
    """Where calls on this route connect to."""
    url = urlsplit(routes.route_url(caller.route))
    tls = url.scheme == "https"
    return url.hostname or "", url.port or (443 if tls else 80), tls


async def _tried(check: str, work: Callable[[str, int], str], host: str, port: int) -> Finding:
    try:
        with anyio.fail_after(10):
            return Finding(check, "ok", await anyio.to_thread.run_sync(work, host, port, abandon_on_cancel=True))
    except TimeoutError:
        return Finding(check, "failed", f"no answer from {host} within 10 s; check the network and any proxy")
    except OSError as error:
        return Finding(
            check, "failed", f"{host}: {error.strerror or type(error).__name__}; check the network and any proxy"
        )


def _dns(host: str, port: int) -> str:
    began = time.perf_counter()
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return f"{host} has {len(addresses)} address{'' if len(addresses) == 1 else 'es'} ({(time.perf_counter() - began) * 1000:.0f} ms)"


def _tls(context: ssl.SSLContext, host: str, port: int) -> str:
    with (
        socket.create_connection((host, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as wire,
    ):
        until = dict(wire.getpeercert() or {}).get("notAfter")
        return f"{wire.version()}, certificate until {until}"


class _Listening(httpx2.AsyncBaseTransport):
    """Keeps the headers of the last response: they tell the clock and the limits."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.headers = httpx2.Headers()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        self.headers = response.headers
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _mistral(settings: Settings, caller: Caller) -> AsyncGenerator[Finding]:
    listening = _Listening(Wire(settings.network))
    upstream = Upstream(settings, listening)
    began = time.perf_counter()
    try:
        reply = await upstream.client(caller).send(ListModelsCall())
    except UnsupportedByRoute as error:
        yield Finding("mistral", "skipped", str(error))
    except MistralMcpError as error:
        yield Finding("mistral", "failed", str(error))
    else:
        seconds = time.perf_counter() - began
        slow = "; slow, check the network" if seconds > _SLOW else ""
        yield Finding("mistral", "ok", f"the key is accepted; answered in {seconds * 1000:.0f} ms{slow}")
        yield _models(settings, reply)
        yield _limits(listening.headers)
    finally:
        await upstream.aclose()
        await listening.aclose()
    if (skew := _skew(listening.headers)) is not None:
        yield Finding("clock", "ok" if skew < _SKEW else "failed", f"{skew:.0f} s apart from Mistral's")


def _skew(headers: httpx2.Headers) -> float | None:
    """Seconds between the clocks; None where the reply tells none."""
    with suppress(KeyError, ValueError):  # a gateway may leave it out, or write it in its own way
        return abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time())
    return None


def _models(settings: Settings, reply: ModelList) -> Finding:
    known = {name for card in reply.data for name in (card.id, *card.aliases)}
    wanted = {settings.chat_model, settings.code_model, settings.embed_model, settings.moderation_model}
    missing = sorted(wanted - known)
    if missing:
        return Finding("models", "failed", f"not in this key's list: {', '.join(missing)}; set others, see tools list")
    return Finding("models", "ok", f"{len(reply.data)} names, the four defaults among them")


def _limits(headers: httpx2.Headers) -> Finding:
    told = sorted(
        f"{name.removeprefix('x-ratelimit-')} {value}" for name, value in headers.items() if "ratelimit" in name
    )
    return Finding(
        "limits", "ok" if told else "skipped", ", ".join(told) or "Mistral tells them with answers of models only"
    )


def _files_dir(settings: Settings) -> Finding:
    folder = settings.files_dir
    if folder is None or not folder.is_dir():
        return Finding("files", "failed", f"FILES_DIR is no folder: {folder}")
    return Finding("files", "ok", f"local files may be read from {folder}")


async def _vault(settings: Settings, connections: Count | None) -> Finding:
    if connections is None:
        return Finding("vault", "skipped", "not installed; it comes with mistral-mcp[hosting]")
    folder = settings.data_dir
    if settings.database_url is None and (folder is None or not folder.exists()):
        return Finding("vault", "skipped", "none yet; serve makes one")
    files = folder.iterdir() if folder is not None and folder.exists() else ()
    # Elsewhere a mode says nothing.
    if os.name == "posix" and (loose := [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]):
        return Finding("vault", "failed", f"others can read {', '.join(loose)} in {folder}; chmod 600 them")
    try:
        return Finding("vault", "ok", f"{await connections(settings)} connections")
    except MistralMcpError as error:
        return Finding("vault", "failed", str(error))


def line(finding: Finding, width: int | None = None) -> str:
    """One finding for a reader; over several lines of its column where there is a width."""
    start = f"{finding.state:>7}  {finding.check:<8} "
    if width is None:
        return start + finding.detail
    return textwrap.fill(
        finding.detail, width, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )


def as_json(findings: list[Finding]) -> str:
    """All of them for a program."""
    return json.dumps(
        {"ok": all(f.state != "failed" for f in findings), "checks": [asdict(f) for f in findings]}, indent=1
    )
