"""Requests prepared as bytes, so that the client's cost is not measured."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Era = Literal["2025-11-25", "2026-07-28"]
Json = dict[str, object]

CALL_ID = 1_000_000_000
"""The id of every prepared call. Within a session, the generator replaces it by unique ids with as many digits."""

KEY = "bEnChMaRk0123456789abcdefghijklm"
_KEY = "bEnChMaRk{:06d}23456789abcdefgh"

INITIALIZE: Json = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "benchmarks", "version": "1"},
    },
}
INITIALIZED: Json = {"jsonrpc": "2.0", "method": "notifications/initialized"}
_META_2026: Json = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def keys(count: int) -> list[str]:
    """Fake API keys, one for each tenant."""
    return [_KEY.format(number) for number in range(count)]


def answer_to(key: str) -> str:
    """The upstream's answer to a key, which proves that the call was sent with that key."""
    return answer_to_header(f"Bearer {key}".encode())


def answer_to_header(authorization: bytes) -> str:
    return f"Hello there, {hashlib.blake2s(authorization, digest_size=4).hexdigest()}."


@dataclass(frozen=True)
class Target:
    """One prepared request, and a text that the right answer contains."""

    port: int
    request: str
    """The whole request as it is sent, decoded as Latin-1."""
    expect: str


def http(port: int, path: str, body: bytes, headers: Mapping[str, str], *, expect: str) -> Target:
    lines = {
        "host": f"127.0.0.1:{port}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    return Target(port, head + body.decode("latin-1"), expect)


def tool_call(tool: str, arguments: Json, era: Era, *, reports_progress: bool = False) -> Json:
    """A `tools/call` request, with or without a progress token."""
    meta: Json = dict(_META_2026) if era == "2026-07-28" else {}
    if reports_progress:
        meta["progressToken"] = 1
    params: Json = {"name": tool, "arguments": arguments}
    return {
        "jsonrpc": "2.0",
        "id": CALL_ID,
        "method": "tools/call",
        "params": params | ({"_meta": meta} if meta else {}),
    }


def mcp(
    port: int,
    tool: str,
    arguments: Json,
    *,
    era: Era,
    key: str,
    path: str = "/mcp",
    in_header: bool = True,
    reports_progress: bool = False,
    expect: str | None = None,
) -> Target:
    """A tool call over HTTP. With `in_header` the key is sent in a header; otherwise the path stands for it."""
    headers = {"mcp-protocol-version": era}
    if era == "2026-07-28":
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
    if in_header:
        headers["x-mistral-api-key"] = key
    body = as_bytes(tool_call(tool, arguments, era, reports_progress=reports_progress))
    return http(port, path, body, headers, expect=answer_to(key) if expect is None else expect)


def direct(port: int, body: Json, *, expect: str) -> Target:
    """The same question sent directly to the upstream."""
    return http(port, "/v1/chat/completions", as_bytes(body), {"authorization": f"Bearer {KEY}"}, expect=expect)


def question(prompt: str) -> Json:
    return {"model": "mistral-small-latest", "messages": [{"role": "user", "content": prompt}]}


def as_bytes(message: Json) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
