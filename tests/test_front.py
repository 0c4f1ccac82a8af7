"""How clients' connections are served."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from mistral_mcp import Settings
from mistral_mcp.http import Front, create_app
from tests.conftest import KEY

pytestmark = pytest.mark.timeout(20)

HEADERS = {"x-api-key": KEY, "accept": "application/json, text/event-stream"}


@asynccontextmanager
async def serving(app: Starlette) -> AsyncGenerator[tuple[uvicorn.Server, int]]:
    """On a socket made as uvicorn makes the one that workers share."""
    with socket.socket(family=socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=Front, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
            await anyio.sleep(0.01)
        yield server, listener.getsockname()[1]
        server.should_exit = True
        await running


async def test_a_reply_does_not_wait_for_the_acknowledgement_of_its_headers():
    async with serving(create_app(Settings())) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

        connections: list[Any] = list(server.server_state.connections)
        sockets = [each.transport.get_extra_info("socket") for each in connections]
        assert [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets] == [1]
        writer.close()


async def test_a_head_without_end_is_refused_and_a_large_body_is_not():
    async with serving(create_app(Settings())) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(2):
            writer.write(b"X-%d: %b\r\n" % (number, b"y" * 10_000))
            await anyio.sleep(0.001)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()

        body = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y" * 500_000}}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=HEADERS) as http:
            assert [(await http.post("/mcp", json=body)).status_code for _ in range(2)] == [200, 200]
