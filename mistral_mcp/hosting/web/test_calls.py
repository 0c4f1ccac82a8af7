"""A test call with a connection, so that a person sees it work before configuring a client."""

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic import SecretStr
from starlette.types import ASGIApp

from mistral_mcp.errors import BadArgument
from mistral_mcp.hosting.vault.connection import Connection
from mistral_mcp.tools import DEFAULT

_REVISION = "2026-07-28"


class NoCheapCall(BadArgument):
    """None of the connection's toolsets has a nearly free call."""


# By toolset, the best proof first; each call is nearly free.
_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "core": ("mistral_chat", {"max_tokens": 30}),
    "models": ("mistral_list_models", {"search": "mistral-small"}),
}


@dataclass(frozen=True, slots=True)
class TestCall:
    """The outcome of a test call."""

    tool: str
    worked: bool
    text: str
    """The model's answer."""
    seconds: float
    status: int | None = None
    """HTTP status of the failure, if Mistral responded."""


def can_test(connection: Connection) -> bool:
    """Whether one of its toolsets has a nearly free call."""
    return _toolset(connection) is not None


def _toolset(connection: Connection) -> str | None:
    return next((name for name in _CALLS if name in (connection.toolsets or DEFAULT)), None)


async def run_test_call(app: ASGIApp, connection: Connection, token: SecretStr, prompt: str) -> TestCall:
    """Call like a client: at the endpoint, within the connection's toolsets, counted as usage."""
    toolset = _toolset(connection)
    if toolset is None:
        raise NoCheapCall("None of this connection's toolsets has a nearly free call.")
    tool, arguments = _CALLS[toolset]
    if tool == "mistral_chat":
        arguments = {"prompt": prompt, **arguments}
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": _REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params: dict[str, Any] = {"name": tool, "arguments": arguments, "_meta": meta}
    headers = {
        "authorization": f"Bearer {token.get_secret_value()}",  # a URL would be logged
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": _REVISION,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    began = time.perf_counter()
    # The call has its own deadline.
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), timeout=None) as client:
        response = await client.post("http://127.0.0.1/mcp", json=call, headers=headers)
    seconds = time.perf_counter() - began
    answer = json.loads(response.content)
    if "error" in answer:
        return TestCall(tool, worked=False, text="", seconds=seconds)
    result = answer["result"]
    if result.get("isError"):
        failure = result.get("_meta", {}).get("mistral-mcp/error", {})
        return TestCall(tool, worked=False, text="", seconds=seconds, status=failure.get("status"))
    texts = [part["text"] for part in result["content"] if part["type"] == "text"]
    return TestCall(tool, worked=True, text="\n".join(texts), seconds=seconds)
