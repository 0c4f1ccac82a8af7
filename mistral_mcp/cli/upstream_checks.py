"""The checks of `mistral-mcp doctor` that use the network: connectivity, and Mistral."""

import socket
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import chain
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx2

from mistral_mcp.cli.findings import Finding, State
from mistral_mcp.errors import BadSetting, MistralMcpError, UnsupportedByRoute
from mistral_mcp.mistral.api.models import ListModelsCall, ModelList, Organization, WhoAmI, WhoAmICall, Workspace
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports import routes
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.mistral.transports.wire import Wire, tls_context
from mistral_mcp.network import Network
from mistral_mcp.settings import Settings

_SLOW = 2.0  # seconds
_SKEW = 60.0  # seconds a clock may be off
_PATIENCE = 10  # seconds for a name or a handshake


async def check_network(network: Network, caller: Caller, begin: Callable[[str], None]) -> AsyncGenerator[Finding]:
    """Check that this machine reaches the host of the route, and that its network settings are usable."""
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
    yield await _try("dns", _dns, host, port)
    if tls:
        begin("tls")
        yield await _try("tls", partial(_tls, context), host, port)


def _address(caller: Caller) -> tuple[str, int, bool]:
    """Where calls on this route connect to."""
    url = urlsplit(routes.route_url(caller.route))
    tls = url.scheme == "https"
    return url.hostname or "", url.port or (443 if tls else 80), tls


async def _try(check: str, work: Callable[[str, int], str], host: str, port: int) -> Finding:
    try:
        with anyio.fail_after(_PATIENCE):
            return Finding(check, "ok", await anyio.to_thread.run_sync(work, host, port, abandon_on_cancel=True))
    except TimeoutError:
        return Finding(
            check, "failed", f"no answer from {host} within {_PATIENCE} s; check the network and any proxy"
        )
    except OSError as error:
        return Finding(
            check, "failed", f"{host}: {error.strerror or type(error).__name__}; check the network and any proxy"
        )


def _dns(host: str, port: int) -> str:
    began = time.perf_counter()
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    milliseconds = (time.perf_counter() - began) * 1000
    return f"{host}: {len(addresses)} addresses found in {milliseconds:.0f} ms"


def _tls(context: ssl.SSLContext, host: str, port: int) -> str:
    with (
        socket.create_connection((host, port), timeout=_PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=host) as wire,
    ):
        until = dict(wire.getpeercert() or {}).get("notAfter")
        return f"{wire.version()}, certificate until {until}"


class _HeaderRecorder(httpx2.AsyncBaseTransport):
    """Records the headers of the last response, which show the clock and the limits."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.headers = httpx2.Headers()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        self.headers = response.headers
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def check_mistral(settings: Settings, caller: Caller) -> AsyncGenerator[Finding]:
    """Check the key at Mistral, its models and limits, and this machine's clock against Mistral's."""
    recorder = _HeaderRecorder(Wire(settings.network))
    upstream = Upstream(settings, recorder)
    try:
        async for finding in _ask_mistral(settings, upstream, caller, recorder):
            yield finding
    finally:
        await upstream.aclose()
        await recorder.aclose()
    skew = _skew(recorder.headers)
    if skew is not None:
        state: State = "failed"
        if skew < _SKEW:
            state = "ok"
        yield Finding("clock", state, f"{skew:.0f} s apart from Mistral's")


async def _ask_mistral(
    settings: Settings, upstream: Upstream, caller: Caller, recorder: _HeaderRecorder
) -> AsyncGenerator[Finding]:
    client = upstream.client(caller)
    began = time.perf_counter()
    try:
        reply = await client.send(ListModelsCall())
    except UnsupportedByRoute as error:
        yield Finding("mistral", "skipped", str(error))
        return
    except MistralMcpError as error:
        yield Finding("mistral", "failed", str(error))
        return
    seconds = time.perf_counter() - began
    answer = f"the key is accepted; answered in {seconds * 1000:.0f} ms"
    if seconds > _SLOW:
        answer += "; slow, check the network"
    yield Finding("mistral", "ok", answer)
    yield _check_models(settings, reply)
    yield _check_limits(recorder.headers)
    try:
        yield _check_account(await client.send(WhoAmICall()))
    except MistralMcpError:  # a gateway may not know it
        yield Finding("account", "skipped", f"{settings.route.name} does not say whose key it is")


def _check_account(reply: WhoAmI) -> Finding:
    organization, workspace = reply.organization or Organization(), reply.workspace or Workspace()
    facts = {"organisation": organization.name, "tier": organization.org_tier, "workspace": workspace.name}
    known = [f"{what} {name}" for what, name in facts.items() if name]
    if not known:
        return Finding("account", "skipped", "Mistral does not say whose key it is")
    return Finding("account", "ok", ", ".join(known))


def _skew(headers: httpx2.Headers) -> float | None:
    """Seconds between the clocks; None if the reply has no date."""
    with suppress(KeyError, ValueError):  # a gateway may leave it out, or use another format
        return abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time())
    return None


def _check_models(settings: Settings, reply: ModelList) -> Finding:
    known = set(chain.from_iterable((card.id, *card.aliases) for card in reply.data))
    wanted = {settings.chat_model, settings.code_model, settings.embed_model, settings.moderation_model}
    missing = sorted(wanted - known)
    if missing:
        return Finding(
            "models", "failed", f"not in this key's list: {', '.join(missing)}; set others, see tools list"
        )
    return Finding("models", "ok", f"{len(reply.data)} names, the four defaults among them")


def _check_limits(headers: httpx2.Headers) -> Finding:
    limits = [
        f"{name.removeprefix('x-ratelimit-')} {value}" for name, value in headers.items() if "ratelimit" in name
    ]
    if not limits:
        return Finding("limits", "skipped", "Mistral sends them with answers of models only")
    return Finding("limits", "ok", ", ".join(sorted(limits)))
