"""Which hosts the server answers to, and which sites' pages may call it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mistral_mcp.errors import BadSetting
from mistral_mcp.http.responses import json_rpc_error
from mistral_mcp.route import LOOPBACK
from mistral_mcp.settings import Settings

_LOCAL = ("127.0.0.1", "localhost", "[::1]")


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
        if not _matches(host, self.hosts):
            answer = json_rpc_error(
                421, "This server does not answer to that Host; its operator can add it to ALLOWED_HOSTS."
            )
            await answer(scope, receive, send)
            return
        if origin and not _matches(origin, self.origins) and scope["path"] not in self.own_check:
            answer = json_rpc_error(
                403, "Requests from that Origin are refused; the operator can add it to ALLOWED_ORIGINS."
            )
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _matches(value: str, allowed: frozenset[str]) -> bool:
    """Exactly, or with any port where `:*` is listed."""
    host, _, port = value.rpartition(":")
    return value in allowed or "*" in allowed or (port.isdecimal() and f"{host}:*" in allowed)


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
    return frozenset({*hosts, *_LOCAL, *(f"{name}:*" for name in _LOCAL)})


def allowed_origins(settings: Settings) -> frozenset[str]:
    """Origins whose pages may call: the server's own, this machine's, and those listed."""
    origins = {origin.lower() for origin in settings.allowed_origins}
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        origins.add(f"{parts.scheme}://{parts.netloc}".lower())
    local = [f"http://{name}" for name in _LOCAL]
    return frozenset({*origins, *local, *(f"{origin}:*" for origin in local)})
