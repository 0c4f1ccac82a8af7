"""An MCP endpoint: whose request it is, before its body is read, then the SDK, whose own errors are made readable."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.credentials import SCOPE as CREDENTIALS
from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import CredentialError, NothingSelected, VaultUnavailable
from mistral_mcp.http.responses import error_response, json_rpc_error
from mistral_mcp.selection import SCOPE as SELECTION
from mistral_mcp.selection import AllowedToolsets

CredentialResolver = Callable[[HTTPConnection], Awaitable[Credentials]]
"""Gives an HTTP request's credentials, or raises a `CredentialError`."""

_PASTE = "This is the address of an MCP server: paste it into your MCP client."


class McpEndpoint:
    """Resolves the credentials of each request, before its body is read, and hands it to the SDK."""

    def __init__(
        self, app: ASGIApp, resolve: CredentialResolver, allowed: AllowedToolsets, browser_page: Callable[[], Response]
    ) -> None:
        self.app = app
        self.resolve = resolve
        self.allowed = allowed
        self.browser_page = browser_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        if scope["method"] != "POST":
            # 2025 clients ask for a standing stream; there is nothing to send on it, and it would be held for ever.
            answer = self.browser_page() if _is_browser(request) else json_rpc_error(405, _PASTE, {"allow": "POST"})
            await answer(scope, receive, send)
            return
        try:
            credentials = await self.resolve(request)
            selection = self.allowed.select(credentials, request.headers, request.query_params)
        except (CredentialError, VaultUnavailable, NothingSelected) as error:
            await error_response(error)(scope, receive, send)
            return
        # The path may hold a token.
        found = {"path": "/mcp", "raw_path": b"/mcp", CREDENTIALS: credentials, SELECTION: selection}
        await self.app({**scope, **found}, receive, _with_json_rpc_errors(send))


def _with_json_rpc_errors(send: Send) -> Send:
    """The SDK's own refusals: all as JSON-RPC, and none with a dump of what the caller sent."""
    start: Message | None = None
    body = b""

    async def shaped(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
            start = message
            return
        if start is not None:
            body += message.get("body", b"")
            if message.get("more_body", False):
                return
            body = _json_rpc_body(start["status"], body)
            headers = [header for header in start["headers"] if header[0] not in {b"content-type", b"content-length"}]
            described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({**start, "headers": headers + described})
            message = {"type": "http.response.body", "body": body}
        await send(message)

    return shaped


def _json_rpc_body(status: int, body: bytes) -> bytes:
    try:
        answer = json.loads(body)
        if "\n" in answer["error"]["message"]:  # pydantic's
            answer["error"]["message"] = "The body is no JSON-RPC message."
            return json.dumps(answer).encode()
    except (ValueError, TypeError, KeyError):
        return bytes(json_rpc_error(status, body.decode("utf-8", "replace")).body)
    return body


def _is_browser(request: HTTPConnection) -> bool:
    return "text/html" in request.headers.get("accept", "")


def plain_browser_page() -> Response:
    """What a person sees who opens an endpoint of a server without pages."""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>MCP server</title><h1>Paste this address into your MCP client</h1><p>{_PASTE} "
        "In Claude, for example: Settings, Connectors, Add custom connector. Treat the address like a password.</p>"
    )
    headers = {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'",
    }
    return Response(page, 200, headers, "text/html")
