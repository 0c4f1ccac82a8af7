"""An MCP endpoint: resolves credentials before reading the body, parses its one message, and calls the SDK."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.credentials import SCOPE as CREDENTIALS
from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import CredentialError, NothingSelected, VaultUnavailable
from mistral_mcp.http.bodies import Bodies, BodyError, replay
from mistral_mcp.http.content import AnswerForm, accepted_forms, refuse_content, sdk_headers
from mistral_mcp.http.responses import PRIVATE, error_response, json_rpc_error
from mistral_mcp.json_rpc import MessageError, MessageReader
from mistral_mcp.selection import SCOPE as SELECTION
from mistral_mcp.selection import AllowedToolsets

CredentialResolver = Callable[[Request], Awaitable[Credentials]]
"""Returns an HTTP request's credentials, or raises a `CredentialError`."""

BrowserPage = Callable[[Request], Awaitable[Response]]
"""The page for a person who opens an endpoint in a browser."""

TOOL = "mistral_mcp.tool"
"""Key of the ASGI scope for the name of the called tool."""

WANTS_PROGRESS = "mistral_mcp.wants_progress"
"""Key of the ASGI scope for whether the client wants progress of its request."""

_POST_ONLY = "This is the address of an MCP server, which takes POST only: paste it into your MCP client."


class McpEndpoint:
    """Resolves the credentials of each request, reads its message, and passes it to the SDK."""

    def __init__(
        self,
        app: ASGIApp,
        resolve: CredentialResolver,
        browser_page: BrowserPage,
        allowed: AllowedToolsets,
        bodies: Bodies,
        messages: MessageReader,
    ) -> None:
        self.app = app
        self.resolve = resolve
        self.browser_page = browser_page
        self.allowed = allowed
        self.bodies = bodies
        self.messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if scope["method"] != "POST":
            answer = await self._describe(request)
            await answer(scope, receive, send)
            return
        try:
            credentials = await self.resolve(request)
            selection = self.allowed.select(credentials, request.headers, request.query_params)
        except (CredentialError, VaultUnavailable, NothingSelected) as error:
            await error_response(error)(scope, receive, send)
            return
        forms = accepted_forms(request.headers)
        if refused := refuse_content(request.headers) or _refuse_forms(forms):
            await refused(scope, receive, send)
            return
        try:
            async with self.bodies.read(receive, request.headers, _caller(request, credentials)) as body:
                message = await self.messages.read(body)
                # The path may hold a token.
                found = {
                    "path": "/mcp",
                    "raw_path": b"/mcp",
                    TOOL: message.tool,
                    WANTS_PROGRESS: message.wants_progress,
                }
                found |= {CREDENTIALS: credentials, SELECTION: selection}
                headers = sdk_headers(scope["headers"], message.body)
                form = AnswerForm(_with_json_rpc_errors(send), forms)
                await self.app({**scope, **found, "headers": headers}, replay(message.body, receive), form)
        except ClientDisconnect:
            return  # the client has disconnected
        except BodyError as error:
            await json_rpc_error(error.status, error.text)(scope, receive, send)
        except MessageError as error:
            await Response(json.dumps(error.answer()), HTTPStatus.BAD_REQUEST, PRIVATE, "application/json")(
                scope, receive, send
            )

    async def _describe(self, request: Request) -> Response:
        """The response to a GET: a page for people, 405 for 2025 clients that open a stream, which would stay empty."""
        if request.method in {"GET", "HEAD"} and is_browser(request):
            return await self.browser_page(request)
        return json_rpc_error(HTTPStatus.METHOD_NOT_ALLOWED, _POST_ONLY, {"allow": "POST"})


def is_browser(request: Request) -> bool:
    """Whether the request is from a browser."""
    return "text/html" in request.headers.get("accept", "").lower()


def _refuse_forms(forms: frozenset[str]) -> Response | None:
    if forms:
        return None
    return json_rpc_error(
        HTTPStatus.NOT_ACCEPTABLE, "Answers are application/json or text/event-stream: accept one, or both."
    )


def _caller(request: Request, credentials: Credentials) -> str:
    """Who a body's memory is counted for: a connection, or an address, since anybody can invent keys."""
    if credentials.also_secret:
        secret = credentials.also_secret[0].get_secret_value()
        return hashlib.sha256(secret.encode()).hexdigest()
    if request.client:
        return request.client.host
    return "unknown"


def _with_json_rpc_errors(send: Send) -> Send:
    """Turns the SDK's own errors into JSON-RPC, without dumps of the caller's input."""
    start: Message | None = None
    body = b""

    async def send_as_json_rpc(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_private(message)]}
            if message["status"] >= HTTPStatus.BAD_REQUEST:
                start = message
                return
        if start is not None:
            body += message.get("body", b"")
            if message.get("more_body", False):
                return
            body = _json_rpc_body(start["status"], body)
            headers = [
                header for header in start["headers"] if header[0] not in {b"content-type", b"content-length"}
            ]
            described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({**start, "headers": headers + described})
            message = {"type": "http.response.body", "body": body}
        await send(message)

    return send_as_json_rpc


def _private(start: Message) -> list[tuple[bytes, bytes]]:
    present = {name for name, _ in start["headers"]}
    added = [(name.encode(), value.encode()) for name, value in PRIVATE.items()]
    return [header for header in added if header[0] not in present]


def _json_rpc_body(status: int, body: bytes) -> bytes:
    try:
        answer = json.loads(body)
        if "\n" in answer["error"]["message"]:  # pydantic's
            answer["error"]["message"] = "The body is not a JSON-RPC message."
            return json.dumps(answer).encode()
    except (ValueError, TypeError, KeyError):
        return bytes(json_rpc_error(status, body.decode("utf-8", "replace")).body)
    return body
