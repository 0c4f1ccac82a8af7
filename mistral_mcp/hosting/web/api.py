"""The JSON endpoints of connections."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mistral_mcp.credentials import from_headers
from mistral_mcp.errors import BadArgument, MistralMcpError, RevokedOrExpired
from mistral_mcp.hosting.web.connect import ConnectionChanges, ConnectionRequest, Tenancy
from mistral_mcp.hosting.web.forms import read_body
from mistral_mcp.hosting.web.responses import (
    client_address,
    connection_json,
    describe_problems,
    issued_json,
)
from mistral_mcp.http.responses import error_status

ModelT = TypeVar("ModelT", bound=BaseModel)

_NO_STORE = {"cache-control": "no-store"}


@dataclass(frozen=True)
class ConnectionApi:
    tenancy: Tenancy

    def routes(self) -> list[Route]:
        return [
            Route("/connections", _answer(self.create, HTTPStatus.CREATED), methods=["POST"]),
            Route("/connections/current", _answer(self.current), methods=["GET", "PATCH", "DELETE"]),
            Route("/connections/current/usage", _answer(self.usage), methods=["GET"]),
            Route("/connections/current/rotate", _answer(self.rotate), methods=["POST"]),
        ]

    async def create(self, request: Request) -> Mapping[str, Any]:
        asked = await _read_json(request, ConnectionRequest)
        issued = await self.tenancy.create(asked, client_address(request))
        return issued_json(self.tenancy.settings, request, issued)

    async def current(self, request: Request) -> Mapping[str, Any]:
        token, address = _token(request), client_address(request)
        if request.method == "DELETE":
            return {"id": await self.tenancy.revoke(token, address), "revoked": True}
        if request.method == "PATCH":
            changes = await _read_json(request, ConnectionChanges)
            return connection_json(await self.tenancy.update(token, changes, address))
        return connection_json(await self.tenancy.describe(token, address))

    async def usage(self, request: Request) -> Mapping[str, Any]:
        return await self.tenancy.usage(_token(request), client_address(request))

    async def rotate(self, request: Request) -> Mapping[str, Any]:
        issued = await self.tenancy.rotate(_token(request), client_address(request))
        return issued_json(self.tenancy.settings, request, issued)


class _WrongMediaType(MistralMcpError):
    status = 415


def _answer(
    handler: Callable[[Request], Awaitable[Mapping[str, Any]]], success: HTTPStatus = HTTPStatus.OK
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request), success, _NO_STORE)
        except MistralMcpError as error:
            status, headers = error_status(error)
            if isinstance(error, RevokedOrExpired):
                status = HTTPStatus.UNAUTHORIZED
            return JSONResponse({"error": {"message": str(error)}}, status, _NO_STORE | headers)

    return endpoint


def _token(request: Request) -> SecretStr:
    return from_headers(request.headers, "Send the connection's token as Authorization: Bearer.").secret


async def _read_json(request: Request, model: type[ModelT]) -> ModelT:
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise _WrongMediaType("Send JSON, as application/json.")
    body = await read_body(request)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise BadArgument(describe_problems(error)) from None
