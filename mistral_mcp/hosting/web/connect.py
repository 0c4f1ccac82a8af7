"""Where a person connects a key: the steps, and the JSON calls on top of them. `pages` puts forms on the same steps.

A key is checked against Mistral, on the route it will take, before it is kept. There is no cookie and no session: whoever
holds a token holds the connection.
"""

import hmac
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute

from mistral_mcp.credentials import from_headers, own_key
from mistral_mcp.errors import (
    BadArgument,
    InvalidApiKey,
    MistralMcpError,
    RefusedCredential,
    SignupRefused,
    UpstreamError,
)
from mistral_mcp.hosting.vault.records import WrongField, check_route
from mistral_mcp.hosting.vault.vault import LONGEST_EXPIRY, LONGEST_LABEL, Connection, Created
from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.api.embeddings import EmbeddingCall
from mistral_mcp.mistral.api.models import ListModelsCall
from mistral_mcp.mistral.transports import routes
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route
from mistral_mcp.settings import Names
from mistral_mcp.tools import TOOLSETS

if TYPE_CHECKING:
    from mistral_mcp.hosting.app import Hosted

_LARGEST_FORM = 16 * 1024  # bytes


def _known_kind(value: object) -> object:
    """A route a tenant may choose: one of the known kinds, never an address of their own."""
    route = Route.parse(value) if isinstance(value, str) else None  # as JSON, it could be made of any parts
    if route is None or route.kind == "base":
        raise ValueError("it must be direct, eu, us, a cloudflare route, lava://byok or lava://")
    return route


class NewConnection(BaseModel):
    """What is asked for. `POST /connections` takes it as JSON, the page as a form."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr | None = None
    label: str = Field(default="", max_length=LONGEST_LABEL)
    toolsets: Names | None = None
    read_only: bool = False
    expires_in_days: int | None = Field(default=None, ge=1, le=LONGEST_EXPIRY)
    route: Annotated[Route, BeforeValidator(_known_kind)] | None = None
    route_token: SecretStr | None = None
    signup_code: SecretStr | None = None

    @field_validator("label")
    @classmethod
    def _label_can_be_shown(cls, label: str) -> str:
        if not label.isprintable():
            raise ValueError("it must be one line of letters and signs that can be seen")
        return label

    @field_validator("toolsets")
    @classmethod
    def _toolsets_exist(cls, names: Names | None) -> Names | None:
        unknown = [name for name in names or () if name not in TOOLSETS]
        if unknown or names == ():
            raise ValueError(f"it must name some of {', '.join(TOOLSETS)}")
        return names


class Connect:
    """The steps of connecting, and their JSON calls."""

    def __init__(self, hosted: "Hosted") -> None:
        self._hosted = hosted

    def routes(self) -> list[HttpRoute]:
        return [
            HttpRoute("/connections", self.create, methods=["POST"]),
            HttpRoute("/connections/current", self.current, methods=["GET", "DELETE"]),
            HttpRoute("/connections/current/rotate", self.rotate, methods=["POST"]),
        ]

    async def make(self, request: Request, asked: NewConnection, connection_id: str | None = None) -> Created:
        """Check what is asked for, then keep it. Raises `WrongField`, `SignupRefused`, `UpstreamError`, `AlreadyMade`…"""
        settings = self._hosted.settings
        self._check_signup(request, asked)
        check_route(asked.api_key, asked.route, asked.route_token)
        if asked.api_key is not None:
            try:
                own_key(asked.api_key, "api_key")
            except RefusedCredential as error:
                raise WrongField("api_key", error.what, error.advice) from None
        # The operator's token never goes out on a tenant's own route.
        route, token = (asked.route, asked.route_token) if asked.route else (settings.route, settings.route_token)
        await self._check_key(request, Caller.of(asked.api_key, "this form", route, token))
        created = await self._hosted.vault.create(
            asked.api_key,
            label=asked.label.strip(),
            toolsets=asked.toolsets,
            read_only=asked.read_only,
            expires_in_days=asked.expires_in_days,
            route=asked.route,
            route_token=asked.route_token,
            connection_id=connection_id,
        )
        self._hosted.metrics.connections.labels("made").inc()
        return created

    def _check_signup(self, request: Request, asked: NewConnection) -> None:
        settings = self._hosted.settings
        if settings.signup == "off":
            raise SignupRefused("This server makes no new connections.", "Ask its operator for one.")
        if settings.signup == "code":
            self._hosted.hold_down(request)
            given = asked.signup_code.get_secret_value() if asked.signup_code else ""
            wanted = settings.signup_code.get_secret_value() if settings.signup_code else ""
            if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
                self._hosted.failed(request, "SignupCode")
                raise SignupRefused("The sign-up code is missing or wrong.", "Ask this server's operator for the code.")

    async def _check_key(self, request: Request, caller: Caller) -> None:
        """Ask Mistral, with the cheapest call that the route carries."""
        mistral = self._hosted.upstream.client(caller)
        settings = self._hosted.settings
        try:
            if routes.carries(caller.route, "GET", "/v1/models"):
                await mistral.send(ListModelsCall())
            elif routes.carries(caller.route, "POST", "/v1/embeddings"):
                await mistral.send(EmbeddingCall(model=settings.embed_model, inputs=["."]))
            else:
                turn: dict[str, JsonValue] = {"role": "user", "content": "."}
                await mistral.send(ChatCall(model=settings.chat_model, messages=[turn], max_tokens=1))
        except InvalidApiKey:
            self._hosted.failed(request, "InvalidApiKey")
            raise

    def told(self, connection: Connection) -> dict[str, Any]:
        """A connection without its secret."""
        return {
            "id": connection.id,
            "label": connection.label,
            "key_hint": connection.key_hint,
            "toolsets": list(connection.toolsets) if connection.toolsets else None,
            "read_only": connection.read_only,
            "route": str(connection.route or self._hosted.settings.route),
            "created_at": connection.created_at.isoformat(),
            "last_used_at": connection.last_used_at.isoformat() if connection.last_used_at else None,
            "expires_at": connection.expires_at.isoformat() if connection.expires_at else None,
        }

    def url(self, request: Request, token: SecretStr) -> str:
        """The secret URL, as users see the server."""
        base = self._hosted.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return f"{base}/c/{token.get_secret_value()}/mcp"

    def shown_once(self, request: Request, created: Created) -> dict[str, Any]:
        """The same with the token, which is kept nowhere else."""
        token = created.token.get_secret_value()
        return self.told(created.connection) | {"token": token, "url": self.url(request, created.token)}

    async def token_of(self, request: Request) -> SecretStr:
        """The token in the request's headers."""
        secret, _ = from_headers(request.headers)
        return secret

    @staticmethod
    def _answering(handler: Callable[["Connect", Request], Awaitable[Response]]) -> Any:
        @wraps(handler)
        async def answered(self: "Connect", request: Request) -> Response:
            try:
                response = await handler(self, request)
            except MistralMcpError as error:
                response = problem(error)
            response.headers["cache-control"] = "no-store"
            return response

        return answered

    @_answering
    async def create(self, request: Request) -> Response:
        """`POST /connections`."""
        if not request.headers.get("content-type", "").startswith("application/json"):
            return JSONResponse({"error": {"message": "Send JSON, as application/json."}}, 415)
        body = await bounded_body(request)
        try:
            asked = NewConnection.model_validate_json(body)
        except ValidationError as error:
            raise BadArgument(why_invalid(error)) from None
        return JSONResponse(self.shown_once(request, await self.make(request, asked)), 201)

    @_answering
    async def current(self, request: Request) -> Response:
        """`GET` and `DELETE /connections/current`."""
        token = await self.token_of(request)
        with self._hosted.guarding(request):
            connection = await self._hosted.vault.describe(token)
            if request.method == "DELETE":
                await self._hosted.vault.revoke(token)
        if request.method == "DELETE":
            self._hosted.metrics.connections.labels("revoked").inc()
            return JSONResponse({"id": connection.id, "revoked": True})
        return JSONResponse(self.told(connection))

    @_answering
    async def rotate(self, request: Request) -> Response:
        """`POST /connections/current/rotate`: a new token, the old one ends at once."""
        token = await self.token_of(request)
        with self._hosted.guarding(request):
            created = await self._hosted.vault.rotate(token)
        self._hosted.metrics.connections.labels("rotated").inc()
        return JSONResponse(self.shown_once(request, created))


def problem(error: MistralMcpError) -> Response:
    """The answer of a JSON call that failed."""
    return JSONResponse({"error": {"message": str(error)}}, *status_of(error))


def status_of(error: MistralMcpError) -> tuple[int, dict[str, str]]:
    """The status of an answer that tells of this error, and its headers."""
    status = getattr(error, "status", None)
    if isinstance(error, BadArgument | InvalidApiKey):
        status = 422
    elif isinstance(error, UpstreamError):
        status = 503
    retry_after = getattr(error, "retry_after", None)
    return status or 500, {"retry-after": str(int(retry_after) + 1)} if retry_after is not None else {}


async def bounded_body(request: Request) -> bytes:
    """A form's body. Raises `BadArgument` for what is larger than any form here."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise BadArgument("The request is larger than any connection needs.")
    return body


def why_invalid(error: ValidationError) -> str:
    """One sentence, without what was sent."""
    problems: list[str] = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        where = str(detail["loc"][0]) if detail["loc"] else "The body"
        message = detail["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {message[:1].lower()}{message[1:]}")
    return f"{'; '.join(problems[:4])}."
