"""Checks Host and Origin headers, and adds CORS headers for allowed origins."""

import re
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Self

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.errors import BadSetting
from mistral_mcp.http.responses import json_rpc_error
from mistral_mcp.route import LOOPBACK
from mistral_mcp.settings import Settings

_HEALTH = frozenset({"/healthz", "/readyz"})
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ANY_PORT = "*"
_ORIGIN = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?"
    r"(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])\.?"
    r"(?::(?P<port>\d{1,5}|\*)?)?"
)
_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")

_READABLE = "WWW-Authenticate, Retry-After, Mcp-Session-Id, MCP-Protocol-Version"
_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
_HEADERS = (
    "Content-Type, Accept, Authorization, X-Mistral-Api-Key, X-API-Key, MCP-Protocol-Version, Mcp-Session-Id, "
    "Mcp-Method, Mcp-Name, Last-Event-ID, X-MCP-Toolsets, X-MCP-Readonly"
)
_PREFLIGHT_AGE = "7200"  # seconds


@dataclass(frozen=True, slots=True)
class Origin:
    """A host as in a Host header, or an origin, which has a scheme too."""

    scheme: str
    """Empty: any."""
    host: str
    port: str
    """Empty: the scheme's own; `*`: any."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None if the text is neither a host nor an origin."""
        found = _ORIGIN.fullmatch(text.strip().lower())
        if found is None:
            return None
        scheme, port = found["scheme"] or "", found["port"] or ""
        if port.isdecimal():
            if _DEFAULT_PORTS.get(scheme) == str(int(port)):
                port = ""
            else:
                port = str(int(port))
        return cls(scheme, found["host"], port)

    def admits(self, other: "Origin") -> bool:
        """Whether the other matches this one, which may have wildcards."""
        if self.host != other.host or (self.scheme and other.scheme and self.scheme != other.scheme):
            return False
        own_port = other.port == "" or _DEFAULT_PORTS.get(self.scheme) == other.port
        return self.port in {_ANY_PORT, other.port} or (self.port == "" and own_port)


_parse_once = lru_cache(maxsize=64)(Origin.parse)
"""Clients send the same Host with every request; a header's length is bounded, so what is remembered is too."""


@dataclass(frozen=True, slots=True)
class AllowedOrigins:
    """A list of hosts or of origins."""

    listed: tuple[Origin, ...]
    everything: bool
    """Whether `*` is among them."""

    def __contains__(self, text: str) -> bool:
        wanted = _parse_once(text)
        return self.everything or (wanted is not None and any(each.admits(wanted) for each in self.listed))


class HostAndOrigin:
    """Refuses requests for other hosts and from other sites' pages: DNS rebinding, cross-site calls.

    Health checks may have any Host. `own_check` are paths of pages that check the origin by
    themselves.
    """

    def __init__(
        self, app: ASGIApp, hosts: AllowedOrigins, origins: AllowedOrigins, own_check: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.origins = origins
        self.own_check = own_check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").strip(), headers.get("origin", "").strip()
        allowed = bool(origin) and self._allows(scope["scheme"], host, origin)
        if allowed:
            send = _with_cors(send, origin)
        if scope["path"] not in _HEALTH and ("/" in host or host not in self.hosts):
            answer = json_rpc_error(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This server does not serve that Host; its operator can add it to ALLOWED_HOSTS.",
            )
        elif origin and not allowed and scope["path"] not in self.own_check | _HEALTH:
            answer = json_rpc_error(
                HTTPStatus.FORBIDDEN,
                "Requests from that Origin are refused; the operator can add it to ALLOWED_ORIGINS.",
            )
        elif allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            answer = _preflight(headers)
        else:
            answer = self.app
        await answer(scope, receive, send)

    def _allows(self, scheme: str, host: str, origin: str) -> bool:
        """Whether the origin is listed, or is the server's own, with an allowed host."""
        if origin in self.origins:
            return True
        own = Origin.parse(f"{scheme}://{host}")
        return own is not None and host in self.hosts and own == Origin.parse(origin)


def _preflight(headers: Headers) -> Response:
    """The response to a browser's preflight request."""
    asked = headers.get("access-control-request-headers", "")
    answer = {
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": asked if _HEADER_NAMES.fullmatch(asked) else _HEADERS,
        "access-control-max-age": _PREFLIGHT_AGE,
    }
    if headers.get("access-control-request-private-network") == "true":
        answer["access-control-allow-private-network"] = "true"
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=answer)


def _with_cors(send: Send, origin: str) -> Send:
    """Adds headers so that the origin's pages can read the response, including errors."""
    added = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _READABLE.encode()),
        (b"vary", b"Origin"),
    ]

    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            # A response for every origin has the header already, and browsers reject a second one.
            headers = [pair for pair in message["headers"] if pair[0].lower() != b"access-control-allow-origin"]
            message = {**message, "headers": [*headers, *added]}
        await send(message)

    return send_with_cors


def allowed_hosts(settings: Settings) -> AllowedOrigins:
    """The allowed Host headers. One listed without a port matches any port.

    Raises `BadSetting` if the server would be reachable under any name.
    """
    if not (settings.allowed_hosts or settings.public_url) and settings.host not in LOOPBACK:
        raise BadSetting(
            f"HOST is {settings.host}, beyond loopback, and neither PUBLIC_URL nor ALLOWED_HOSTS is set.",
            "Set one, so that the server knows its own names.",
        )
    listed = [_parse_setting(host, "ALLOWED_HOSTS") for host in settings.allowed_hosts if host != "*"]
    any_port = [Origin(each.scheme, each.host, each.port or _ANY_PORT) for each in listed]
    return AllowedOrigins((*any_port, *_public(settings), *_local("")), everything="*" in settings.allowed_hosts)


def allowed_origins(settings: Settings) -> AllowedOrigins:
    """Origins whose pages may call: the server's own, this machine's, and those listed."""
    listed = [_parse_setting(origin, "ALLOWED_ORIGINS") for origin in settings.allowed_origins if origin != "*"]
    return AllowedOrigins(
        (*listed, *_public(settings), *_local("http")), everything="*" in settings.allowed_origins
    )


def _parse_setting(text: str, setting: str) -> Origin:
    if origin := Origin.parse(text.rstrip("/")):
        return origin
    raise BadSetting(
        f"MISTRAL_MCP_{setting} names {text[:64]!r}, which is not a host.", "List hosts, with a port if any."
    )


def _public(settings: Settings) -> list[Origin]:
    scheme, _, rest = (settings.public_url or "").partition("://")
    origin = Origin.parse(f"{scheme}://{rest.partition('/')[0]}")
    if origin:
        return [origin]
    return []


def _local(scheme: str) -> list[Origin]:
    return [Origin(scheme, host, _ANY_PORT) for host in _LOCAL]
