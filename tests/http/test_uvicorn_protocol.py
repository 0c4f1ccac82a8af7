"""Connections of clients: deadlines, limits and disconnects."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import anyio
import h11
import httpx2
import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.http.uvicorn_protocol import ClientProtocol, Deadlines, InboundConnection
from mistral_mcp.sandbox import serve_app
from tests.conftest import KEY, serving

pytestmark = pytest.mark.timeout(20)

HEADERS = {"x-api-key": KEY, "accept": "application/json, text/event-stream"}


@asynccontextmanager
async def open_connection() -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a test writes what it likes."""
    async with serving(create_app(Settings())) as base:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(base).port)
        yield reader, writer
        writer.close()


async def send_pings(size: int, headers: dict[str, str]) -> list[int]:
    """The statuses of two, each with a body of that size."""
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y" * size}}
    async with serving(create_app(Settings())) as base, httpx2.AsyncClient(base_url=base, headers=headers) as http:
        return [(await http.post("/mcp", json=ping)).status_code for _ in range(2)]


async def test_a_reply_does_not_wait_for_the_acknowledgement_of_its_headers():
    # On a socket made as uvicorn makes the one that workers share.
    with socket.socket(family=socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(Settings()), http=ClientProtocol, log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
            await anyio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

        connections: list[Any] = list(server.server_state.connections)
        sockets = [each.transport.get_extra_info("socket") for each in connections]
        assert [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets] == [1]
        writer.close()
        server.should_exit = True
        await running


async def test_a_head_without_end_is_refused_and_a_large_body_is_not():
    async with open_connection() as (reader, writer):
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(2):
            writer.write(b"X-%d: %b\r\n" % (number, b"y" * 10_000))
            await anyio.sleep(0.001)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")

    assert await send_pings(500_000, HEADERS) == [200, 200]


async def test_trailers_without_end_are_refused():
    async with open_connection() as (reader, writer):
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        for number in range(3):
            writer.write(b"X-%d: %b\r\n" % (number, b"y" * 10_000))
            await anyio.sleep(0.001)
        assert (await reader.read()).startswith(b"HTTP/1.1 401")  # and the connection ends


async def test_a_trailer_is_no_header():
    async with open_connection() as (reader, writer):
        head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
        writer.write(head + b"2\r\n{}\r\n0\r\nX-API-Key: %b\r\n\r\n" % KEY.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")


async def test_who_offers_an_upgrade_is_served_as_if_not():
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAEAAEAAAAIAAAAB"}
    assert await send_pings(100_000, HEADERS | offer) == [200, 200]


@pytest.mark.parametrize("more", [b"Host: localhost\r\nHost: evil.example\r\n", b""])
async def test_a_request_has_one_host(more: bytes):
    async with open_connection() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n" + more + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")


async def test_a_body_and_the_next_request_may_come_in_one_piece():
    async with open_connection() as (reader, writer):
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n" + b" " * 40_000)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        await anyio.sleep(0.01)
        writer.write(b"\r\n")
        answers = await reader.read()
        assert (answers.count(b"HTTP/1.1 401"), answers.count(b"HTTP/1.1 200")) == (1, 1)


async def test_blanks_after_a_headers_value_do_not_count():
    async with open_connection() as (reader, writer):
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        meta |= {"io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}
        meta |= {"io.modelcontextprotocol/clientCapabilities": {}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}).encode()
        headers = {
            "host": "localhost",
            "content-type": "application/json",
            "content-length": str(len(body)),
        } | HEADERS
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list \t"}
        lines = [f"{name}: {value} \t\r\n" for name, value in headers.items()]
        writer.write(b"POST /mcp HTTP/1.1\r\n" + "".join(lines).encode() + b"\r\n" + body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


SHORT = Deadlines(head=0.3, body=0.3, least_rate=1000, answer=0.3)


@asynccontextmanager
async def open_with_short_deadlines(
    app: ASGIApp,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose deadlines are short."""
    protocol = cast("type[asyncio.Protocol]", partial(ClientProtocol, deadlines=SHORT))
    async with serve_app(app, http=protocol) as base:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(base).port, limit=1024)
        yield reader, writer
        writer.transport.abort()


async def answer_size(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads the body and answers with its size."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    answer = PlainTextResponse(str(size))
    await answer(scope, receive, send)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    with anyio.fail_after(5):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /"]
)
async def test_a_head_that_does_not_come_ends_the_connection(begun: bytes):
    async with open_with_short_deadlines(answer_size) as (reader, writer):
        writer.write(begun)
        if begun.endswith(b"GET /"):
            await reader.readuntil(b"\r\n\r\n0")
            writer.write(b"x")
        assert await is_closed(reader)


async def test_a_body_that_does_not_come_ends_the_connection():
    async with open_with_short_deadlines(answer_size) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        assert await is_closed(reader)


async def test_a_body_may_take_longer_while_it_keeps_to_the_least_rate():
    async with open_with_short_deadlines(answer_size) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 100)
            await anyio.sleep(0.04)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_body_nobody_requested_does_not_hold_the_connection_either():
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("no", 401)(scope, receive, send)

    async with open_with_short_deadlines(refuse) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        with anyio.fail_after(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("size", [100_000_000, 6_000_000])
async def test_an_answer_that_nobody_reads_ends_the_connection_and_the_request(size: int):
    ended = asyncio.Event()

    async def send_much(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(size // 1_000_000):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        ended.set()

    async with open_with_short_deadlines(send_much) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with anyio.fail_after(5):
            await ended.wait()
            while ClientProtocol.open_connections:  # noqa: ASYNC110 - nothing tells it
                await anyio.sleep(0.01)


async def test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_served():
    async with open_connection() as (reader, writer):
        head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answers = await reader.read()
        assert answers.startswith(b"HTTP/1.1 400")
        assert answers.count(b"HTTP/1.1") == 1


def sent_for(method: bytes, *events: h11.Event) -> list[bytes | None]:
    """What is sent for each event of a response."""
    connection = InboundConnection(time.monotonic, 16 * 1024)
    connection.receive_data(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    while connection.their_state is not h11.DONE:
        connection.next_event()
    return [connection.send(event) for event in events]


def response_of(size: int | None) -> h11.Response:
    headers = [] if size is None else [("content-length", str(size))]
    return h11.Response(status_code=200, headers=headers)


def test_the_head_of_a_short_response_is_sent_together_with_its_body():
    head, body, _ = sent_for(b"GET", response_of(2), h11.Data(data=b"ok"), h11.EndOfMessage())

    assert head == b""
    assert body is not None
    assert body.startswith(b"HTTP/1.1 200")
    assert body.endswith(b"\r\n\r\nok")


def test_a_response_without_the_body_that_its_head_describes_is_sent_at_its_end():
    head, end = sent_for(b"HEAD", response_of(2), h11.EndOfMessage())

    assert head == b""
    assert end is not None
    assert end.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("size", [None, 0, 1024 * 1024])
def test_the_head_of_any_other_response_does_not_wait(size: int | None):
    [head] = sent_for(b"GET", response_of(size))

    assert head is not None
    assert head.startswith(b"HTTP/1.1 200")
