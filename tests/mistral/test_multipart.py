"""Forms: streamed, of known length, closed to injection, and sent again from their start."""

import io
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import Settings
from mistral_mcp.errors import BadArgument, ReplyTooLarge, Unavailable
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.multipart import CHUNK, FilePart, Form, Upload
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.sandbox.protocol.forms import Form as ReadForm
from mistral_mcp.sandbox.protocol.forms import read_form
from mistral_mcp.sandbox.protocol.request import Received
from tests.conftest import KEY


class Kept(Reply):
    id: str = ""


class Transcribe(Upload[Kept]):
    path = "/v1/things/{thing_id}"
    repeatable = True
    in_query = frozenset({"dry_run"})

    thing_id: str = "a"
    dry_run: bool | None = None
    purpose: str | None = None
    granularities: list[str] | None = None
    diarize: bool | None = None
    temperature: float | None = None


async def read_payload(call: Upload[Kept]) -> tuple[bytes, dict[str, str]]:
    stream, headers = call.payload()
    return b"".join([chunk async for chunk in stream]), headers


async def read(call: Upload[Kept]) -> ReadForm:
    """The form as somebody else's parser reads it."""
    body, headers = await read_payload(call)
    assert headers["content-length"] == str(len(body))
    form = await read_form(Received("POST", "/", httpx2.QueryParams(), headers, body))
    assert form is not None
    return form


class Answers(httpx2.AsyncBaseTransport):
    """The wire: reads what comes, and answers with each of these in turn."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.bodies.append(b"".join([chunk async for chunk in request.stream]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client_of(wire: httpx2.AsyncBaseTransport) -> MistralClient:
    settings = Settings()
    return Upstream(settings, wire).client(Caller.of(SecretStr(KEY), "a test", settings.route, None))


async def test_fields_and_file_arrive_as_they_were_given() -> None:
    file = FilePart.of("Grüße 1.jsonl", b"\r\n--not a boundary\r\n")
    form = await read(
        Transcribe(purpose="batch", granularities=["word", "segment"], diarize=True, temperature=0.5, file=file)
    )

    assert form.fields == {
        "purpose": ["batch"],
        "granularities": ["word", "segment"],
        "diarize": ["true"],
        "temperature": ["0.5"],
    }
    assert form.files["file"].filename == "Grüße 1.jsonl"
    assert form.files["file"].data == file.content


async def test_a_form_needs_no_file() -> None:
    form = await read(Transcribe(purpose="x"))

    assert form.fields == {"purpose": ["x"]}
    assert not form.files


async def test_path_and_query_are_no_part_of_the_form() -> None:
    call = Transcribe(thing_id="b", dry_run=True, purpose="x")

    assert call.url() == "/v1/things/b?dry_run=true"
    assert (await read(call)).fields == {"purpose": ["x"]}


@pytest.mark.parametrize(
    "filename",
    [
        'a"; name="purpose',
        'a"\r\nX-Evil: 1\r\n\r\nx',
        "a\nb",
        "a\\",
        'a\\"; filename="b',
        "\0",
        "--",
        "a\u2028b",
        "a;b=c",
    ],
)
async def test_no_filename_breaks_out_of_its_header(filename: str) -> None:
    form = await read(Transcribe(purpose="ocr", file=FilePart.of(filename, b"content")))

    assert form.fields == {"purpose": ["ocr"]}
    assert list(form.files) == ["file"]
    assert form.files["file"].data == b"content"


async def test_a_filename_is_written_as_browsers_write_it() -> None:
    body, _ = await read_payload(Transcribe(file=FilePart.of('"a"\r\n.txt', b"x")))

    assert b'filename="%22a%22%0D%0A.txt"\r\n' in body


async def test_boundaries_are_never_the_same() -> None:
    kinds = {Transcribe(file=FilePart.of("a", b"x")).payload()[1]["content-type"] for _ in range(20)}

    assert len(kinds) == 20


async def test_a_handle_is_read_in_chunks_off_the_loop(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as writing:
        writing.truncate(64 * 1024 * 1024)
    longest = size = 0
    tracemalloc.start()
    with large.open("rb") as handle:
        stream, headers = Transcribe(file=FilePart("large.bin", handle, large.stat().st_size)).payload()
        async for chunk in stream:
            longest, size = max(longest, len(chunk)), size + len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert longest == CHUNK
    assert headers["content-length"] == str(size)
    assert peak < 4 * 1024 * 1024


async def test_only_so_many_bytes_are_read_as_were_promised() -> None:
    form = await read(Transcribe(file=FilePart("a", io.BytesIO(b"0123456789"), 4)))

    assert form.files["file"].data == b"0123"


async def test_a_file_that_became_shorter_is_an_error() -> None:
    wire = Answers()
    with pytest.raises(BadArgument, match="became shorter"):
        await client_of(wire).send(Transcribe(file=FilePart("a", io.BytesIO(b"0123"), 10)))


async def test_a_repeated_form_begins_again() -> None:
    wire = Answers(httpx2.Response(429, headers={"retry-after": "0"}), httpx2.Response(200, json={"id": "1"}))
    handle = io.BytesIO(b"some content")
    client = client_of(wire)
    reply = await client.send(Transcribe(file=FilePart("a", handle, 12)))

    assert reply.id == "1"
    assert client.attempts == 2
    assert wire.bodies[0] == wire.bodies[1]
    assert b"some content" in wire.bodies[1]


async def test_an_upload_that_may_have_arrived_is_not_repeated() -> None:
    class Create(Transcribe):
        repeatable: ClassVar[bool] = False

    wire = Answers(httpx2.ReadError("cut"))
    with pytest.raises(Unavailable, match="check before retrying"):
        await client_of(wire).send(Create(file=FilePart.of("a", b"x")))

    assert len(wire.bodies) == 1


class Download(Call[bytes]):
    path = "/v1/files/a/content"
    method = "GET"
    max_bytes = 100


class Forget(Call[None]):
    path = "/v1/things/a"
    method = "DELETE"


class Names(Call[list[Kept]]):
    path = "/v1/things"
    method = "GET"


class Start(Call[Kept]):
    path = "/v1/things/{thing_id}/start"

    thing_id: str


class Endless(httpx2.AsyncByteStream):
    """More than anybody wants; says how much of it was taken."""

    taken = 0
    closed = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        while True:
            self.taken += 60
            yield b"x" * 60
            await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.closed = True


async def test_a_download_stops_at_its_limit() -> None:
    endless = Endless()
    with pytest.raises(ReplyTooLarge, match="larger than"):
        await client_of(Answers(httpx2.Response(200, stream=endless))).send(Download())

    assert endless.taken == 120
    assert endless.closed


@pytest.mark.parametrize("content", [b"", b"\xff\x00\xfe", "Grüße".encode()])
async def test_a_binary_reply_comes_as_it_is(content: bytes) -> None:
    assert await client_of(Answers(httpx2.Response(200, content=content))).send(Download()) == content


async def test_in_a_binary_reply_a_key_becomes_stars_and_nothing_moves() -> None:
    content = b"\xff" + KEY.encode() + b"\x00rest"
    found = await client_of(Answers(httpx2.Response(200, content=content))).send(Download())

    assert found == b"\xff" + b"*" * len(KEY) + b"\x00rest"


async def test_text_that_is_downloaded_is_masked() -> None:
    content = await client_of(Answers(httpx2.Response(200, content=f"k={KEY}"))).send(Download())

    assert content == b"k=[masked]"


@pytest.mark.parametrize("response", [httpx2.Response(204), httpx2.Response(200, json={"deleted": True})])
async def test_a_reply_that_nobody_reads_may_be_empty(response: httpx2.Response) -> None:
    assert await client_of(Answers(response)).send(Forget()) is None


async def test_a_bare_list_is_a_reply_too() -> None:
    reply = await client_of(Answers(httpx2.Response(200, json=[{"id": "1"}, {"id": "2"}]))).send(Names())

    assert [thing.id for thing in reply] == ["1", "2"]


async def test_a_post_without_fields_has_no_body() -> None:
    wire = Answers(httpx2.Response(200, json={"id": "1"}))
    await client_of(wire).send(Start(thing_id="1"))

    assert wire.bodies == [b""]
    assert "content-type" not in wire.requests[0].headers
    assert wire.requests[0].headers["content-length"] == "0"


async def test_a_success_that_cannot_be_read_says_how_it_looks() -> None:
    with pytest.raises(Unavailable, match="it is a web page"):
        await client_of(Answers(httpx2.Response(200, html="<html></html>"))).send(Names())


async def test_a_form_with_nothing_is_still_one() -> None:
    form = Form([], "file", None)

    assert b"".join([chunk async for chunk in form]) == b""
    assert form.headers["content-length"] == "0"
