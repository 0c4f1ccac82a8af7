"""Answers that every MCP client can show: JSON-RPC errors under an HTTP status."""

import json
import math
from http import HTTPStatus

from starlette.responses import Response

from mistral_mcp.errors import CredentialError, NothingSelected, VaultUnavailable


def json_rpc_error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """A JSON-RPC error with the HTTP status as its code."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": status, "message": message}}
    return Response(json.dumps(body), status, headers, "application/json")


def error_response(error: CredentialError | VaultUnavailable | NothingSelected) -> Response:
    """The answer to a request that was refused before any tool ran."""
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="mistral-mcp"'
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    return json_rpc_error(error.status, str(error), headers)
