"""Sends each call over its route: the exact URL, and the credentials, which only the route's host gets.

The transports above know one API at `https://api.mistral.ai/v1/…`. `Routes` is the only place where a secret is put
into a request; it does so in a copy, so that the request that `retries` keeps holds none.
"""

import base64
import json
import re
from dataclasses import dataclass
from re import Pattern
from urllib.parse import quote

import httpx2

from mistral_mcp import errors
from mistral_mcp.mistral.multipart import Form
from mistral_mcp.mistral.transports.exchange import Caller, exchange_of
from mistral_mcp.mistral.transports.urls import parse_url
from mistral_mcp.mistral.transports.wire import HEADER_ENCODING
from mistral_mcp.route import Route, RouteKind

_MISTRAL = "https://api.mistral.ai"
_CLOUDFLARE = "https://gateway.ai.cloudflare.com/v1/{route.account}/{route.gateway}"
_LAVA = "https://api.lava.so/v1/forward?u={encoded}"

_STATEFUL = re.compile(
    r"\w+ /v[12]/(agents|conversations|files|batch|libraries|audio/(agents|sessions)|client|connectors|context"
    r"|observability|prompts|rag|service-accounts|skills|triggers|webhooks|workflows)(/.*)?"
)
_UPLOADS = re.compile(r"POST /v1/(files|libraries/[^/]+/documents)/?")
_CHAT = re.compile(r"POST /v1/chat/completions")
_ANSWERS = re.compile(r"POST /v1/(chat/completions|fim/completions|embeddings|moderations|chat/moderations)")

_STATELESS = (
    "everything except stored objects: agents, conversations, files, batch jobs, libraries, workflows and the like"
)
_FORWARDED = "chat, function calling, embeddings, ranking, code completion and moderation"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A kind of route. `target` is the path and query, `encoded` the whole URL at Mistral as one query value."""

    url: str
    carries: str
    only: Pattern[str] | None = None
    """Matches `METHOD /path` of the calls it supports; `never` matches those it does not."""
    never: Pattern[str] | None = None
    knows_no_files: bool = False
    """Whether it has no files, and so knows no file ids."""


_ENDPOINTS: dict[RouteKind, Endpoint] = {
    "direct": Endpoint(_MISTRAL + "{target}", "everything"),
    "eu": Endpoint("https://api.eu.mistral.ai{target}", _STATELESS, never=_STATEFUL, knows_no_files=True),
    "us": Endpoint("https://api.us.mistral.ai{target}", _STATELESS, never=_STATEFUL, knows_no_files=True),
    "base": Endpoint("{route.base}{target}", "everything"),
    "cloudflare": Endpoint(_CLOUDFLARE + "/mistral{target}", "everything but file uploads", never=_UPLOADS),
    "cloudflare-compat": Endpoint(
        _CLOUDFLARE + "/compat/chat/completions",
        "chat and function calling",
        only=_CHAT,
    ),
    "lava-byok": Endpoint(_LAVA, _FORWARDED, only=_ANSWERS),
    "lava": Endpoint(_LAVA, _FORWARDED, only=_ANSWERS),
}

_CLOUDFLARE_KINDS = frozenset({"cloudflare", "cloudflare-compat"})

# Calls that Cloudflare may answer from its cache, if the operator has enabled it. All others decide (moderation, tool calls),
# create, or read what changes.
_CACHEABLE = re.compile(r"POST /v1/(chat/completions|fim/completions|embeddings)")

_COMPAT_MODEL = re.compile(rb'\A\s*\{\s*"model"\s*:\s*"')
_PREFIXED = ("mistral/", "dynamic/")
"""Prefixes of model names on `/compat`: the provider, or the gateway's own route."""
_FILE_ID = re.compile(rb'(?<!\\)"file_id"\s*:\s*"')


def carries(route: Route, method: str, path: str) -> bool:
    """Whether the route supports a call such as `POST`, `/v1/files`."""
    way, call = _ENDPOINTS[route.kind], f"{method} {path}"
    return not (way.never and way.never.fullmatch(call)) and (way.only is None or bool(way.only.fullmatch(call)))


def route_url(route: Route) -> str:
    """A URL with the host that receives the calls of this route."""
    return _ENDPOINTS[route.kind].url.format(route=route, target="", encoded="")


class Routes(httpx2.AsyncBaseTransport):
    """Sends each request over its caller's route. Calls that the route does not support are never sent."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(request)
        route, endpoint = exchange.caller.route, _ENDPOINTS[exchange.caller.route.kind]
        target = request.url.raw_path.decode()
        path = target.partition("?")[0]
        if isinstance(request.stream, httpx2.ByteStream):
            body = request.read()
        else:
            body = b""
        if not carries(route, request.method, path):
            raise _refusal(exchange.caller, "does not support this call.")
        if endpoint.knows_no_files and _names_file(request.stream, body):
            raise _refusal(exchange.caller, "has no files, so it cannot take a file id.")
        if endpoint.url == _LAVA:
            encoded = quote(_MISTRAL + target, safe="")
        else:
            encoded = ""
        url = parse_url(endpoint.url.format(route=route, target=target, encoded=encoded))
        headers = httpx2.Headers(request.headers, HEADER_ENCODING)
        stream = request.stream
        written = {"Host": url.netloc.decode(), **_credentials(exchange.caller)}
        if route.kind in _CLOUDFLARE_KINDS:
            call = f"{request.method} {path}"
            written |= _cloudflare_headers(route, call, body, attempt=exchange.attempts)
        if route.kind == "cloudflare-compat":
            body = _with_compat_model(body)
            written["Content-Length"] = str(len(body))
            stream = httpx2.ByteStream(body)
        for name, value in written.items():
            headers[name] = value
        return await self._inner.handle_async_request(
            httpx2.Request(request.method, url, headers=headers, stream=stream, extensions=request.extensions)
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def _refusal(caller: Caller, why: str) -> errors.UnsupportedByRoute:
    name = caller.far_end
    return errors.UnsupportedByRoute(
        f"{name[0].upper()}{name[1:]} (route {caller.shown_route}) {why}",
        f"It supports {_ENDPOINTS[caller.route.kind].carries}; use one of these, or a connection with another route.",
    )


def _names_file(stream: object, body: bytes) -> bool:
    if isinstance(stream, Form):
        return "file_id" in stream.names
    return _FILE_ID.search(body) is not None


def _cloudflare_headers(route: Route, call: str, body: bytes, *, attempt: int) -> dict[str, str]:
    # The gateway's own retries would multiply with ours.
    headers = {"cf-aig-max-attempts": "1"}
    # A bad answer must not be repeated from the cache.
    if not _CACHEABLE.fullmatch(call) or b'"tools"' in body or attempt > 1:
        headers["cf-aig-skip-cache"] = "true"
    if not route.logs_payload:
        headers["cf-aig-collect-log-payload"] = "false"
    if route.stored_key:
        headers["cf-aig-byok-alias"] = route.stored_key
    return headers


def _credentials(caller: Caller) -> dict[str, str]:
    if caller.key:
        key = caller.key.get_secret_value()
    else:
        key = ""
    if caller.route_token:
        token = caller.route_token.get_secret_value()
    else:
        token = ""
    kind = caller.route.kind
    if kind in {"lava", "lava-byok"}:
        return {"Authorization": f"Bearer {_forward_token(key, token, managed=kind == 'lava')}"}
    found: dict[str, str] = {}
    # Without a key, Cloudflare uses the stored one.
    if key:
        found["Authorization"] = f"Bearer {key}"
    if token and kind in _CLOUDFLARE_KINDS:
        found["cf-aig-authorization"] = f"Bearer {token}"
    return found


def _forward_token(key: str, token: str, *, managed: bool) -> str:
    """Lava's credential, with both secrets in plain text. Without `provider_key`, the wallet of `secret_key` pays."""
    if not token:
        raise errors.MissingCredential(
            "The Lava gateway needs its own secret key.", "Set MISTRAL_MCP_ROUTE_TOKEN."
        )
    if not managed and not key:
        raise errors.MissingCredential("The route lava://byok needs a Mistral key.", "Give one, or use lava://.")
    if managed:
        secrets = {"secret_key": token}
    else:
        secrets = {"secret_key": token, "provider_key": key}
    return base64.b64encode(json.dumps(secrets, separators=(",", ":")).encode()).decode()


def _with_compat_model(body: bytes) -> bytes:
    """Add `mistral/` before the model's name if it has no prefix; the rest of the JSON is unchanged."""
    if found := _COMPAT_MODEL.match(body):  # as our own calls write it
        if body.startswith(tuple(prefix.encode() for prefix in _PREFIXED), found.end()):
            return body
        return body[: found.end()] + b"mistral/" + body[found.end() :]
    members = json.loads(body)
    if members["model"].startswith(_PREFIXED):
        return body
    members["model"] = f"mistral/{members['model']}"
    return json.dumps(members, separators=(",", ":")).encode()
