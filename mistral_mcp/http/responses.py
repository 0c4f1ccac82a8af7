"""Error responses that every MCP client can show: JSON-RPC errors with an HTTP status."""

import json
import math
from http import HTTPStatus

from starlette.responses import Response

from mistral_mcp.errors import (
    BadArgument,
    CredentialError,
    InvalidApiKey,
    MissingCredential,
    MistralMcpError,
    NothingSelected,
    RequestRefused,
    UpstreamError,
    VaultUnavailable,
)

PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every response to one caller."""


def json_rpc_error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """A JSON-RPC error with the HTTP status as its code."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": status, "message": message}}
    return Response(json.dumps(body), status, {**PRIVATE, **(headers or {})}, "application/json")


def error_response(error: CredentialError | VaultUnavailable | NothingSelected) -> Response:
    """The response to a request that was refused before a tool ran."""
    headers: dict[str, str] = {}
    if isinstance(error, CredentialError) and error.challenge:
        headers["www-authenticate"] = error.challenge
    elif error.status == HTTPStatus.UNAUTHORIZED:
        # RFC 6750: no error code if the request had no credential.
        if isinstance(error, MissingCredential):
            reason = ""
        else:
            reason = ', error="invalid_token"'
        headers["www-authenticate"] = f'Bearer realm="mistral-mcp"{reason}'
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    return json_rpc_error(error.status, str(error), headers)


def error_status(error: MistralMcpError) -> tuple[int, dict[str, str]]:
    """The status and headers of a response about this error."""
    status = getattr(error, "status", None)
    if isinstance(error, BadArgument | InvalidApiKey | RequestRefused):
        status = 422
    elif isinstance(error, UpstreamError):
        status = 503
    retry_after = getattr(error, "retry_after", None)
    if retry_after is None:
        headers = {}
    else:
        headers = {"retry-after": str(int(retry_after) + 1)}
    return status or 500, headers
