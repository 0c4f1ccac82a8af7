"""Documents for crawlers and directories: a server card, a catalogue that links to it, an icon.

The card follows SEP-2127, a draft, and is at the path that it reserves.
"""

import json
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from mcp_types.version import SUPPORTED_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.routing import Route

from mistral_mcp import __version__
from mistral_mcp.http.public_documents import public_document
from mistral_mcp.http.targets import base_url
from mistral_mcp.server import DESCRIPTION, PROJECT_URL, REGISTRY_NAME, TITLE
from mistral_mcp.settings import Settings

CARD_TYPE = "application/mcp-server-card+json"
CATALOG_TYPE = "application/ai-catalog+json"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
_OLDEST = "2025-03-26"
"""Without an older revision that the SDK supports too, which had another transport."""

_STATIC = Path(__file__).parent / "static"


def server_card_routes(settings: Settings, *, signs_in: bool) -> list[Route]:
    """The routes of the card, the catalogue, and the icons that both and browsers name.

    `signs_in`: whether clients can use OAuth, and so need no header.
    """

    def card(request: Request) -> bytes:
        return _json(server_card(base_url(settings, request), byok=settings.byok, signs_in=signs_in))

    def catalog(request: Request) -> bytes:
        return _json(ai_catalog(base_url(settings, request)))

    return [
        public_document("/mcp/server-card", CARD_TYPE, card),
        public_document("/.well-known/ai-catalog.json", CATALOG_TYPE, catalog),
        public_document("/icon.png", "image/png", lambda _: _file("icon.png")),
        public_document("/favicon.ico", "image/x-icon", lambda _: _file("favicon.ico")),
    ]


def server_card(base: str, *, byok: bool, signs_in: bool) -> dict[str, object]:
    """The server's name, and how to connect. It lists no tools, since they differ by caller."""
    remote: dict[str, object] = {
        "type": "streamable-http",
        "url": f"{base}/mcp",
        "supportedProtocolVersions": [each for each in SUPPORTED_PROTOCOL_VERSIONS if each >= _OLDEST],
    }
    if byok:
        remote["headers"] = [
            {
                "name": "X-Mistral-Api-Key",
                "description": "Your Mistral API key; it is used for the request and not stored.",
                "isRequired": not signs_in,
                "isSecret": True,
            }
        ]
    return {
        "$schema": SCHEMA,
        "name": REGISTRY_NAME,
        "title": TITLE,
        "version": __version__,
        "description": DESCRIPTION,
        "websiteUrl": PROJECT_URL,
        "repository": {"url": PROJECT_URL, "source": "github"},
        "icons": [{"src": f"{base}/icon.png", "mimeType": "image/png", "sizes": ["128x128"]}],
        "remotes": [remote],
    }


def ai_catalog(base: str) -> dict[str, object]:
    """The catalogue, with one entry: the URL of the card."""
    entry = {
        "identifier": f"urn:air:{urlsplit(base).hostname}:{TITLE}",
        "displayName": TITLE,
        "description": DESCRIPTION,
        "type": CARD_TYPE,
        "url": f"{base}/mcp/server-card",
    }
    return {"specVersion": "1.0", "host": {"displayName": TITLE}, "entries": [entry]}


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, indent=2).encode()


@cache
def _file(name: str) -> bytes:
    return (_STATIC / name).read_bytes()
