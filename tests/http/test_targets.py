"""Request targets in all their forms reach the same routes."""

import asyncio

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from tests.conftest import serving


async def status(base: str, target: str, host: str = "localhost") -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(base).port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readline()
    writer.close()
    return int(head.split()[1])


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("http://localhost/healthz", "localhost", 200),
        ("HTTP://localhost:1234/healthz?x=1", "localhost", 200),
        ("http://localhost/mcp", "localhost", 405),
        ("http://localhost", "localhost", 404),
        ("http://evil.example/mcp", "localhost", 421),
        ("http://localhost/mcp", "evil.example", 405),  # RFC 9112: the target's host counts
        ("ftp://localhost/mcp", "localhost", 404),
        ("localhost:80", "localhost", 404),
    ],
)
async def test_a_target_may_be_a_whole_url(base: str, target: str, host: str, expected: int) -> None:
    assert await status(base, target, host) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/healthz", 200),
        ("/mistral/healthz", 200),
        ("/mistral/mcp", 405),
        ("/mcp/", 405),
        ("/mistral", 404),
        ("/mistralx/healthz", 404),
        ("/mistral/mistral/healthz", 404),
    ],
)
async def test_the_path_of_the_public_url_may_be_passed_on_or_not(path: str, expected: int) -> None:
    async with serving(create_app(Settings(public_url="https://mcp.example.com/mistral/"))) as base:
        assert await status(base, path) == expected
