"""Answers that clients do not read, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from mistral_mcp.bounds.memory import MIB
from mistral_mcp.http.unread_answers import UnreadAnswers
from mistral_mcp.http.uvicorn_protocol import ClientProtocol
from mistral_mcp.sandbox import serve_app

pytestmark = pytest.mark.timeout(20)

SIZE = 2 * MIB


class Bounded(ClientProtocol):
    """With room for two answers and a half, of which the system takes little."""

    unread_answers = UnreadAnswers(5 * SIZE // 2)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        super().connection_made(transport)


async def send_in_one_piece(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers in one piece, as the SDK does."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
    await send({"type": "http.response.body", "body": b"x" * SIZE})


class Client:
    """A client that reads when it is told to. It has asked for nothing yet."""

    def __init__(self, port: int, address: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.bind((address, 0))
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(0)
        self._got = 0

    async def ask(self) -> None:
        """Returns once the answer has begun to come."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self._got = len(await loop.sock_recv(self._socket, 1))

    async def read(self) -> bool:
        """Whether all of it came; False: the connection was cut."""
        left = SIZE - self._got
        with anyio.fail_after(10):
            while left > 0:
                try:
                    piece = await asyncio.get_running_loop().sock_recv(self._socket, min(left, 65536))
                except ConnectionError:
                    return False
                if not piece:
                    return False
                left -= len(piece)
        return True

    def close(self) -> None:
        self._socket.close()


@asynccontextmanager
async def clients(*addresses: str) -> AsyncGenerator[list[Client]]:
    """Clients that asked one after the other."""
    protocol = cast("type[asyncio.Protocol]", Bounded)
    async with serve_app(cast("Any", send_in_one_piece), http=protocol) as base:
        made: list[Client] = []
        try:
            for address in addresses:
                made.append(Client(httpx2.URL(base).port or 0, address))
                await made[-1].ask()
            yield made
        finally:
            for each in made:
                each.close()


async def test_beyond_the_bound_the_answer_that_was_unread_longest_is_dropped(caplog: pytest.LogCaptureFixture):
    async with clients("127.0.0.1", "127.0.0.1", "127.0.0.1") as (first, second, third):
        assert not await first.read()
        assert await second.read()
        assert await third.read()
    assert "unread" in caplog.text


async def test_whoever_reads_slowly_loses_nothing_to_another_address_that_does_not_read():
    async with clients("127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.1") as (slow, *others):
        assert await slow.read()
        assert [await each.read() for each in others].count(False) == 2


async def test_answers_that_are_read_are_not_counted():
    async with clients("127.0.0.1") as (one,):
        for _ in range(5):
            assert await one.read()
            await one.ask()
        assert await one.read()


class Stalled:
    """A connection whose client reads nothing."""

    address = "192.0.2.1"
    is_open = True
    left = 1000
    counted = 0

    @property
    def unread(self) -> int:
        self.counted += 1
        return self.left

    def unread_since(self) -> float:
        return 0.0

    def abort(self) -> None:
        self.is_open = False


async def test_a_piece_of_a_download_does_not_have_all_stalled_connections_counted():
    answers, stalled, download = UnreadAnswers(1_000_000), [Stalled() for _ in range(900)], Stalled()
    for each in stalled:
        answers.add(each)
    before = sum(each.counted for each in stalled)
    for _ in range(100):
        answers.add(download)
        answers.discard(download)

    assert sum(each.counted for each in stalled) == before


async def test_what_was_read_since_makes_room_before_anything_is_closed():
    answers, reader, late = UnreadAnswers(1500), Stalled(), Stalled()
    answers.add(reader)
    reader.left = 0
    answers.add(late)

    assert reader.is_open
    assert late.is_open
