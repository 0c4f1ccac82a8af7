"""The core's app on a real socket, and requests to it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from tests.conftest import serving

PING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}
HEADERS = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/list",
}


@pytest.fixture
async def base(mistral_url: str) -> AsyncIterator[str]:
    async with serving(create_app(Settings(route=mistral_url))) as url:
        yield url


@pytest.fixture
async def http(base: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=base) as client:
        yield client


async def ask(
    http: httpx2.AsyncClient, headers: dict[str, str] | list[tuple[str, str]], **extra: str
) -> httpx2.Response:
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    return await http.post("/mcp", json=PING, headers=[*HEADERS.items(), *pairs, *extra.items()])
