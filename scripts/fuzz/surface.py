"""Requests to every route of the hosted app, with every method and each kind of header and body that it supports."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import quote, urlencode

from hypothesis import strategies as st
from starlette.routing import BaseRoute

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from scripts.fuzz.values import HOSTILE, anything, printable, texts

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "INVENTED")

_HEADERS: dict[str, list[str]] = {
    "Accept": [
        "application/json",
        "text/event-stream",
        "text/html",
        "*/*;q=0",
        "application/json;q=x",
        "image/png",
    ],
    "Content-Type": ["application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data"],
    "Origin": ["null", "http://127.0.0.1", "https://evil.example", "not an origin"],
    "Host": ["127.0.0.1", "localhost:1", "evil.example", "[::1", ""],
    "X-MCP-Toolsets": ["all", "core,files", "nothing", ",,,"],
    "X-MCP-Readonly": ["true", "maybe"],
    "Content-Encoding": ["gzip", "identity", "br, gzip"],
    "Cookie": ["a=b", "=", ";;;"],
    "Range": ["bytes=0-1", "bytes=5-1", "bytes=-", "lines=1"],
    "If-None-Match": ["*", '"x"', "W/"],
    "If-Modified-Since": ["Sat, 28 Nov 2026 00:00:00 GMT", "soon"],
    "Sec-Fetch-Site": ["same-origin", "cross-site", "none"],
    "Accept-Language": ["fr", "de;q=0.1,*", ";;q=9"],
    "Access-Control-Request-Method": ["POST", "INVENTED"],
    "X-Forwarded-Proto": ["https", "javascript"],
    "X-Forwarded-Host": ["evil.example"],
    "MCP-Protocol-Version": ["2025-06-18", "2026-07-28", "1999-01-01"],
    "Mcp-Method": ["tools/call", "tools/list"],
    "Mcp-Name": ["mistral_chat"],
    "Mcp-Session-Id": ["x"],
    "Last-Event-ID": ["1"],
    "traceparent": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-0"],
    "Expect": ["100-continue", "something"],
    "Upgrade": ["websocket", "h2c"],
}

_FIELDS: tuple[str, ...] = (
    "api_key", "label", "toolsets", "read_only", "expires_in_days", "route", "route_token", "signup_code", "form", "token",
    "grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "resource", "scope",
    "response_type", "state", "code_challenge", "code_challenge_method", "redirect_uris", "client_name", "request", "action",
    "token_endpoint_auth_method", "connection", "decision", "lang", "new_key",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """Objects that exist at the server."""

    token: str
    """The token of a connection."""
    client_id: str
    """The id of an OAuth client."""
    handles: tuple[str, ...]
    """Handles of kept results and upload links."""
    values: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Values of form fields."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def route_methods() -> dict[str, tuple[str, ...]]:
    """The paths of the hosted app, with parameters such as `{token}`, and the methods of each."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.model_validate({"route": "http://127.0.0.1:9", "data_dir": folder}))
        found: dict[str, set[str]] = {}
        for path, methods in _routes(app.routes):
            found.setdefault(path, set()).update(methods)
    return {path: tuple(sorted(methods)) for path, methods in sorted(found.items())}


def _routes(routes: list[BaseRoute]) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        inner = getattr(route, "routes", None)
        if inner:
            yield from _routes(inner)
        else:
            yield getattr(route, "path", "/"), getattr(route, "methods", None) or {"GET", "POST"}


def requests_to(path: str, methods: tuple[str, ...], known: Known) -> st.SearchStrategy[Request]:
    """Requests that suit the route, and as often others."""
    handles = st.one_of(
        st.sampled_from(known.handles), texts.map(lambda text: quote(text, safe="", errors="replace"))
    )
    values = st.one_of(st.sampled_from(HOSTILE), texts)
    fields = st.dictionaries(
        st.sampled_from(_FIELDS),
        st.one_of(values, st.sampled_from(list(chain.from_iterable(known.values.values())))),
        max_size=12,
    )
    forms = fields.map(lambda given: urlencode(given, errors="replace").encode())
    json_bodies = st.one_of(anything, fields).map(lambda value: json.dumps(value).encode())
    multipart = fields.map(_multipart)
    bodies = st.one_of(
        json_bodies.map(lambda body: ("application/json", body)),
        forms.map(lambda body: ("application/x-www-form-urlencoded", body)),
        multipart.map(lambda body: ("multipart/form-data; boundary=b", body)),
        st.binary(max_size=300).map(lambda body: ("", body)),
    )
    queries = st.one_of(st.just(""), forms.map(bytes.decode), printable.map(lambda text: quote(text, safe="=&%")))

    def build(
        method: str,
        handle: str,
        query: str,
        headers: dict[str, str],
        key: tuple[str, str],
        body: tuple[str, bytes],
    ) -> Request:
        target = path.replace("{token}", handle).replace("{handle}", handle).replace("{filename}", "a.txt")
        if query:
            target += f"?{query}"
        sent = {"Content-Type": body[0], key[0]: key[1], **headers}
        return Request(method, target, {name: value for name, value in sent.items() if name and value}, body[1])

    return st.builds(
        build,
        st.sampled_from([*methods * 12, *METHODS]),
        handles,
        queries,
        _headers(),
        _credentials(known),
        bodies,
    )


def _headers() -> st.SearchStrategy[dict[str, str]]:
    pairs = st.sampled_from(sorted(_HEADERS)).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(st.sampled_from(_HEADERS[name]), printable))
    )
    return st.lists(pairs, max_size=5).map(dict)


def _credentials(known: Known) -> st.SearchStrategy[tuple[str, str]]:
    return st.one_of(
        st.just(("", "")),
        st.tuples(
            st.sampled_from(["Authorization", "X-API-Key", "X-Mistral-Api-Key"]),
            st.one_of(
                printable,
                st.sampled_from(
                    [f"Bearer {known.token}", "Bearer mmcp_x", "Basic eDp5", "Bearer", "a" * 32, "\u00e9\u00e9"]
                ),
            ),
        ),
    )


def _multipart(fields: dict[str, str]) -> bytes:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + "--b--\r\n").encode("utf-8", "replace")
