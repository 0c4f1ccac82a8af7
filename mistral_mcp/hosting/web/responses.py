"""Parts of responses that `api` and `pages` share: the secret URL, a connection without its secrets, invalid fields."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, ValidationError
from starlette.requests import HTTPConnection, Request

from mistral_mcp.hosting.vault.vault import Connection, IssuedToken
from mistral_mcp.http.targets import base_url
from mistral_mcp.settings import Settings


def client_address(request: HTTPConnection) -> str:
    if request.client:
        return request.client.host
    return "unknown"


def secret_url(settings: Settings, request: Request, token: SecretStr) -> str:
    """The secret URL, with the host that users see."""
    return f"{base_url(settings, request)}/c/{token.get_secret_value()}/mcp"


def connection_json(connection: Connection) -> dict[str, Any]:
    """The connection as JSON. A null route is the operator's, or chosen by the operator: tenants must not see its address."""
    route = connection.route
    if route is not None and route.kind == "base":
        route = None
    return {
        "id": connection.id,
        "label": connection.label,
        "key_hint": connection.key_hint,
        "toolsets": list(connection.toolsets) if connection.toolsets else None,
        "read_only": connection.read_only,
        "route": str(route) if route else None,
        "budget_usd": connection.budget_usd,
        "budget_calls_per_day": connection.budget_calls_per_day,
        "created_at": connection.created_at.isoformat(),
        "last_used_at": connection.last_used_at.isoformat() if connection.last_used_at else None,
        "expires_at": connection.expires_at.isoformat() if connection.expires_at else None,
    }


def issued_json(settings: Settings, request: Request, issued: IssuedToken) -> Mapping[str, Any]:
    """The connection as JSON, with its token, which is stored nowhere."""
    token = {"token": issued.token.get_secret_value(), "url": secret_url(settings, request, issued.token)}
    return connection_json(issued.connection) | token


def describe_problems(error: ValidationError) -> str:
    """One sentence about invalid fields, without their values."""
    problems: list[str] = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False)[:4]:
        if detail["loc"]:
            where = str(detail["loc"][0])
        else:
            where = "The body"
        message = detail["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {message[:1].lower()}{message[1:]}")
    return f"{'; '.join(problems)}."
