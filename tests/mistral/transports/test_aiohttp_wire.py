"""The wire, against servers that say byte for byte what a test has them say."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest

from mistral_mcp.bounds.memory import LARGE
from mistral_mcp.mistral.transports import aiohttp_wire as wires
from mistral_mcp.mistral.transports.aiohttp_wire import AiohttpTransport
from tests.certificates import self_sign

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Told: yes\r\n\r\nhello"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


pytestmark = pytest.mark.timeout(10)


class Server:
    """Reads whole requests, and gives to each of a connection the next of these answers; None: it hangs up."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.gone = anyio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for answer in self.answers:
            self.requests.append(await read_request(reader))
            if answer is None:
                break
            writer.write(answer)
        else:
            await reader.read()
            self.gone.set()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request; nothing where there is none any more."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    return head + await reader.readexactly(length)


@asynccontextmanager
async def serve_connections(
    serve: Serve, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[tuple[AiohttpTransport, str]]:
    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0, ssl=tls)
    wire = AiohttpTransport(ssl.create_default_context())
    try:
        scheme = "https" if tls else "http"
        yield wire, f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x?y=1"
    finally:
        await wire.aclose()
        server.close()


async def ask(
    wire: AiohttpTransport, url: str, content: bytes | httpx2.AsyncByteStream = b"{}", **headers: str
) -> bytes:
    """The body of the reply."""
    response = await begin(wire, url, content, **headers)
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def begin(
    wire: AiohttpTransport,
    url: str,
    content: bytes | httpx2.AsyncByteStream = b"{}",
    connect: float = 5,
    **headers: str,
) -> httpx2.Response:
    stream = httpx2.ByteStream(content) if isinstance(content, bytes) else content
    size = {"content-length": str(len(content))} if isinstance(content, bytes) else {}
    extensions = {"timeout": {"connect": connect}}
    request = httpx2.Request("POST", url, headers=size | headers, stream=stream, extensions=extensions)
    return await wire.handle_async_request(request)


async def test_a_request_goes_out_whole_and_its_reply_comes_back():
    async with serve_connections(server := Server(OK)) as (wire, url):
        response = await begin(wire, url, b'{"a":1}', authorization="Bearer key")

        assert await response.aread() == b"hello"
        assert (response.status_code, response.headers["x-told"]) == (200, "yes")
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        first, *headers = head.split(b"\r\n")
        host = url.split("/")[2].encode()
        assert first == b"POST /v1/x?y=1 HTTP/1.1"
        assert sorted(headers) == [b"Host: " + host, b"authorization: Bearer key", b"content-length: 7"]
        assert body == b'{"a":1}'


async def test_a_connection_is_used_again_and_no_more_are_opened_than_there_are_requests_at_once():
    async with serve_connections(server := Server(*[OK] * 20)) as (wire, url):
        for _ in range(5):
            assert await ask(wire, url) == b"hello"
        assert server.connections == 1

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask, wire, url)
        assert server.connections == 3


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + OK, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_replies_may_be_framed_in_any_way(reply: bytes, body: bytes):
    async with serve_connections(server := Server(reply, OK)) as (wire, url):
        response = await begin(wire, url)

        assert await response.aread() == body
        assert "link" not in response.headers
        assert await ask(wire, url) == b"hello"
        assert server.connections == 1


async def test_the_end_of_the_connection_may_be_the_end_of_the_body():
    async def answer_without_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with serve_connections(answer_without_length) as (wire, url):
        assert await ask(wire, url) == b"hello"
        assert await ask(wire, url) == b"hello"


@pytest.mark.parametrize(
    "ending",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        OK + OK,
    ],
    ids=["says close", "answers twice"],
)
async def test_a_connection_is_not_used_again_where_that_would_be_wrong(ending: bytes):
    async with serve_connections(server := Server(ending, OK)) as (wire, url):
        response = await begin(wire, url)
        assert (response.status_code, await response.aread()) == (200, b"hello")
        await response.aclose()
        await ask(wire, url)

        assert server.connections == 2


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again():
    closed = anyio.Event()

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        closed.set()

    async with serve_connections(answer_once) as (wire, url):
        for _ in range(3):
            assert await ask(wire, url) == b"hello"
            await closed.wait()
            await anyio.wait_all_tasks_blocked()


async def test_an_idle_connection_ends_by_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wires, "KEEPALIVE", 0.05)
    async with serve_connections(server := Server(OK)) as (wire, url):
        assert await ask(wire, url) == b"hello"
        await server.gone.wait()


async def test_what_had_come_of_a_reply_that_breaks_off_is_given_before_the_error():
    async def answer_in_part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK[:-2])

    async with serve_connections(answer_in_part) as (wire, url):
        response = await begin(wire, url)
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"hel"
        with pytest.raises(httpx2.RemoteProtocolError):
            await anext(pieces)
        await response.aclose()


JSON_OK = OK.replace(b"X-Told: yes", b"Content-Type: application/json")


async def test_a_small_answer_is_read_with_its_headers():
    async with serve_connections(Server(JSON_OK)) as (wire, url):
        response = await begin(wire, url)

        assert response.is_closed
        assert response.content == b"hello"
        assert response.headers["content-length"] == "5"


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"Content-Type: text/event-stream", 5),
        (b"Content-Type: application/json\r\nContent-Encoding: gzip", 5),
        (b"Content-Type: application/json", LARGE + 1),
    ],
)
async def test_what_is_not_a_small_answer_arrives_as_a_stream(header: bytes, length: int):
    answer = b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n" % (header, length)
    async with serve_connections(Server(answer)) as (wire, url):
        response = await begin(wire, url)

        assert not response.is_closed
        await response.aclose()


async def test_a_small_answer_that_breaks_off_may_be_requested_again():
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(JSON_OK[:-2])

    async with serve_connections(break_off) as (wire, url):
        with pytest.raises(httpx2.RemoteProtocolError):
            await begin(wire, url)


async def test_giving_up_on_a_small_answer_closes_its_connection():
    server = Server(JSON_OK[:-2])
    async with serve_connections(server) as (wire, url):
        with anyio.move_on_after(0.2):
            await begin(wire, url)
        await server.gone.wait()


async def test_a_connection_that_is_reset_is_a_read_error():
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: close with a reset
        writer.transport.abort()

    async with serve_connections(reset) as (wire, url):
        with pytest.raises(httpx2.ReadError):
            await ask(wire, url)


@pytest.mark.parametrize("reply", [b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, None])
async def test_a_reply_that_is_none_is_a_protocol_error(reply: bytes | None):
    async with serve_connections(Server(reply)) as (wire, url):
        with pytest.raises(httpx2.RemoteProtocolError):
            await ask(wire, url)


async def test_nobody_there_is_a_connect_error_and_silence_is_a_connect_timeout(monkeypatch: pytest.MonkeyPatch):
    async with serve_connections(Server()) as (_, url):
        wire = AiohttpTransport(ssl.create_default_context())
    with pytest.raises(httpx2.ConnectError):
        await ask(wire, url)

    async def sleep_forever(*_: object, **__: object) -> None:
        await anyio.sleep_forever()

    for step in ("sock_connect", "getaddrinfo"):
        monkeypatch.setattr(asyncio.get_running_loop(), step, sleep_forever)
        with pytest.raises(httpx2.ConnectTimeout):
            await begin(wire, url.replace("127.0.0.1", "localhost"), connect=0.01)
    await wire.aclose()


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb"])
async def test_a_header_with_a_line_break_is_not_sent(value: str):
    async with serve_connections(server := Server(OK)) as (wire, url):
        with pytest.raises(httpx2.LocalProtocolError):
            await ask(wire, url, x=value)
        assert not server.requests


class Pieces(httpx2.AsyncByteStream):
    """So many bytes, piece by piece."""

    def __init__(self, size: int) -> None:
        self.left = size

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        while self.left:
            piece = min(self.left, 65_536)
            self.left -= piece
            yield b"x" * piece


@pytest.mark.parametrize("make_body", [Pieces, bytes])
async def test_a_large_body_is_sent_as_the_other_side_takes_it(make_body: type[bytes | Pieces]):
    async with serve_connections(server := Server(OK)) as (wire, url):
        assert await ask(wire, url, make_body(5_000_000), **{"content-length": "5000000"}) == b"hello"
        assert len(server.requests[0]) > 5_000_000


async def test_an_answer_to_half_a_body_ends_the_sending():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await done.wait()

    done, body = anyio.Event(), Pieces(100_000_000)
    async with serve_connections(refuse) as (wire, url):
        response = await begin(wire, url, body, **{"content-length": "100000000"})
        assert (response.status_code, await response.aread()) == (413, b"no")
        assert body.left
        await response.aclose()
        done.set()


async def test_a_reply_is_read_no_faster_than_it_is_used():
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent.append(1)

    sent: list[int] = []
    async with serve_connections(flood) as (wire, url):
        response = await begin(wire, url)
        await anyio.sleep(0.2)
        assert len(sent) < 400
        assert len(await response.aread()) == 50_000_000
        await response.aclose()


@pytest.mark.parametrize("answer", [b"", OK[:-2]], ids=["before the reply", "within the reply"])
async def test_who_is_cancelled_disconnects(answer: bytes):
    async with serve_connections(server := Server(answer)) as (wire, url):
        with anyio.move_on_after(0.1):
            await ask(wire, url)
        await server.gone.wait()


async def test_a_place_is_given_back_whatever_happens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wires, "CONNECTIONS", 1)
    answers = [b"", b"nonsense\r\n\r\n", OK[:-2], OK]

    async def answer_worse_then_better(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answers.pop(0))
        if not answers:
            await reader.read()

    async with serve_connections(answer_worse_then_better) as (wire, url):
        for _ in range(3):
            with pytest.raises(httpx2.TransportError):
                await ask(wire, url)
        assert await ask(wire, url) == b"hello"


async def test_a_wire_that_was_closed_can_be_used_again():
    async with serve_connections(server := Server(OK)) as (wire, url):
        await ask(wire, url)
        await wire.aclose()
        assert await ask(wire, url) == b"hello"
        assert server.connections == 2


async def test_over_tls_certificates_are_checked(tmp_path: Path):
    certificate = self_sign(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with serve_connections(server := Server(OK, OK), tls) as (wire, url):
        with pytest.raises(httpx2.ConnectError):
            await ask(wire, url)

        trusting = AiohttpTransport(ssl.create_default_context(cafile=certificate))
        assert await ask(trusting, url) == b"hello"
        assert await ask(trusting, url) == b"hello"
        assert server.connections == 1
        await trusting.aclose()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_request_whose_answer_is_lost_goes_out_once(method: str):
    async with serve_connections(server := Server(OK, None)) as (wire, url):
        await ask(wire, url)
        with pytest.raises(httpx2.TransportError):
            await wire.handle_async_request(httpx2.Request(method, url, headers={"host": "x"}))
        assert [request[:3] for request in server.requests] == [b"POS", method.encode()[:3]]
