"""The limit on connections, and which are closed beyond it."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.http.listener import BoundedListener, ConnectionLimits
from mistral_mcp.http.uvicorn_protocol import ClientProtocol

pytestmark = pytest.mark.timeout(30)

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def listen_with_limit(most: int) -> AsyncGenerator[Callable[[], Awaitable[Client]]]:
    """Connects to a server that takes so many connections."""
    plain = socket.socket()
    plain.bind(("127.0.0.1", 0))
    port = plain.getsockname()[1]
    config = uvicorn.Config(
        create_app(Settings()), http=ClientProtocol, log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[BoundedListener(plain, ConnectionLimits(most))]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await anyio.sleep(0.01)
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()
    server.should_exit = True
    await running


async def is_healthy(client: Client) -> bool:
    reader, writer = client
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        with anyio.fail_after(5):
            head = await reader.readuntil(b'{"status":"ok"}')
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    return head.startswith(b"HTTP/1.1 200")


async def test_the_oldest_idle_connection_makes_room_for_a_new_one():
    async with listen_with_limit(3) as connect:
        clients = [await connect() for _ in range(3)]
        assert all([await is_healthy(client) for client in clients])
        newest = await connect()
        assert await is_healthy(newest)
        assert [await is_healthy(client) for client in clients] == [False, True, True]


async def test_a_burst_of_connections_is_bounded_too():
    async with listen_with_limit(10) as connect:
        for _ in range(100):
            await connect()
        assert await is_healthy(await connect())
        assert len(ClientProtocol.open_connections) <= 10


async def test_connections_in_use_are_not_cut_for_new_ones():
    async with listen_with_limit(1) as connect:
        reader, writer = await connect()
        writer.write(
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-API-Key: 0123456789abcdef\r\nContent-Length: 2\r\n"
        )
        writer.write(b"Content-Type: application/json\r\n\r\n")
        while not any(not each.is_idle for each in ClientProtocol.open_connections):  # noqa: ASYNC110
            await anyio.sleep(0.01)
        assert not await is_healthy(await connect())
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("address", "limited"), [("127.0.0.1", False), ("10.0.0.1", False), ("198.51.100.7", True)]
)
def test_one_address_may_have_a_share_but_proxies_may_have_all(address: str, *, limited: bool):
    limits = ConnectionLimits(2000, ("10.0.0.1",))
    assert limits.applies_to(address) == limited
    assert limits.per_address == 500
