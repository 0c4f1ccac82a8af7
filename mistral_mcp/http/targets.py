"""Normalises request targets."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mistral_mcp.settings import Settings


class Targets:
    """Turns `http://host/mcp` into `/mcp` (RFC 9112 section 3.2.2), and removes the path of PUBLIC_URL.

    Some proxies forward that path and others do not, so both work.
    """

    def __init__(self, app: ASGIApp, public_path: str) -> None:
        self.app = app
        self.public_path = public_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if not scope["path"].startswith("/"):
                _resolve_absolute_form(scope)
            path = scope["path"].removeprefix(self.public_path)
            if path != scope["path"] and (path == "" or path.startswith("/")):
                _replace_path(scope, path or "/")
        await self.app(scope, receive, send)


def public_path(settings: Settings) -> str:
    """The path of PUBLIC_URL, without a trailing slash; usually empty."""
    return urlsplit(settings.public_url or "").path.rstrip("/")


def base_url(settings: Settings, request: HTTPConnection) -> str:
    """The server's URL as users see it, without a trailing slash."""
    return settings.public_url or str(request.base_url).rstrip("/")


def _resolve_absolute_form(scope: Scope) -> None:
    scheme, separator, rest = scope["path"].partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        authority, slash, path = rest.partition("/")
        others = [header for header in scope["headers"] if header[0] != b"host"]
        # The host of the target takes precedence over the header.
        scope["headers"] = [(b"host", authority.encode("latin-1", "replace")), *others]
        _replace_path(scope, slash + path or "/")


def _replace_path(scope: Scope, path: str) -> None:
    scope["path"] = path
    scope["raw_path"] = path.encode()
