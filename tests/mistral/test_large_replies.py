"""Large replies of all callers together have a bound: who comes when it is reached waits, or is told when to come again."""

import json
from collections.abc import AsyncIterator

import anyio
import pytest
from mcp.client import Client
from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from mistral_mcp import Settings, create_server
from mistral_mcp.bounds.heavy_work import work_for
from mistral_mcp.bounds.memory import MIB, SharedMemory
from mistral_mcp.credentials import from_key
from mistral_mcp.errors import RateLimited, Unavailable
from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.mistral.api.files import DownloadFileCall, UploadFileCall
from mistral_mcp.mistral.api.models import ListModelsCall
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route
from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from tests.conftest import KEY, text_of

FILE = b"\xff\x00" * (MIB // 2)


@pytest.fixture
async def upstream(mistral_url: str) -> AsyncIterator[Upstream]:
    """With memory for one such file of a caller's, and a little for others."""
    upstream = Upstream(Settings.model_validate({"route": mistral_url, "max_retries": 0}))
    upstream.memory = SharedMemory(2 * MIB, lambda free: free * 2 // 3, patience=5)
    yield upstream
    await upstream.aclose()


def client(upstream: Upstream, key: str) -> MistralClient:
    work_for(key)
    return upstream.client(Caller.of(SecretStr(key), "a key", Route.parse(str(upstream.settings.route)), None))


async def upload(upstream: Upstream, key: str) -> DownloadFileCall:
    part = FilePart.of("a.pdf", FILE)
    reply = await client(upstream, key).send(UploadFileCall(purpose="ocr", file=part))
    return DownloadFileCall(file_id=reply.id)


async def test_a_large_file_waits_until_another_callers_tool_call_has_ended(upstream: Upstream) -> None:
    calls = {key: await upload(upstream, key) for key in ("key-of-alice", "key-of-bob")}
    alice = client(upstream, "key-of-alice")
    assert await alice.send(calls["key-of-alice"]) == FILE
    ended: list[str] = []

    async def read_for_bob() -> None:
        bob = client(upstream, "key-of-bob")
        assert await bob.send(calls["key-of-bob"]) == FILE
        ended.append("bob")

    async with anyio.create_task_group() as group:
        group.start_soon(read_for_bob)
        small = client(upstream, "key-of-carol")
        await small.send(ListModelsCall())
        ended.append("carol")
        ended.append("alice")
        alice.memory.release()

    assert ended == ["carol", "alice", "bob"]


async def test_who_has_waited_long_enough_is_told_when_to_come_again(upstream: Upstream) -> None:
    call = await upload(upstream, "key-of-alice")
    other = await upload(upstream, "key-of-bob")
    upstream.memory = SharedMemory(2 * MIB, lambda free: free * 2 // 3, patience=0.05)
    await client(upstream, "key-of-alice").send(call)

    with pytest.raises(RateLimited) as refused:
        await client(upstream, "key-of-bob").send(other)

    assert refused.value.retry_after == 1
    assert "again in 1 s" in str(refused.value)


async def test_a_reply_that_breaks_off_gives_its_memory_back(upstream: Upstream, sandbox: Sandbox) -> None:
    call = await upload(upstream, "key-of-alice")
    sandbox.faults.append(Fault(drop="mid_body"))
    alice = client(upstream, "key-of-alice")
    with pytest.raises(Unavailable):
        await alice.send(call)

    assert alice.memory.size == 0
    assert await alice.send(call) == FILE


async def test_json_is_released_as_soon_as_it_is_read(upstream: Upstream, sandbox: Sandbox) -> None:
    models = b'{"object": "list", "data": [' + b", ".join([b'{"id": "%s"}' % (b"a" * 400)] * 3_000) + b"]}"
    sandbox.faults.extend([Fault(status=200, body=models)] * 3)
    alice = client(upstream, "key-of-alice")
    for _ in range(3):
        await alice.send(ListModelsCall())

    assert alice.memory.size == 0


@pytest.mark.parametrize("tool", ["mistral_download_file", "mistral_read_result"])
async def test_a_tool_call_that_ended_holds_nothing(mistral_url: str, tool: str) -> None:
    """Twenty files of 6 MB would not fit together."""
    server = create_server(Settings.model_validate({"route": mistral_url, "toolsets": "all"}), from_key(KEY))
    async with Client(server) as mcp:
        text = "text " * (6 * MIB // 5)
        upload = {"filename": "a.txt", "purpose": "ocr", "content": text}
        file = await mcp.call_tool("mistral_upload_file", upload)
        arguments: dict[str, str] = {"file_id": (file.structured_content or {})["id"]}
        read = await mcp.call_tool("mistral_download_file", arguments)
        if tool == "mistral_read_result":
            arguments = {"handle": (read.structured_content or {})["kept"]["handle"]}
        for _ in range(20):
            result = await mcp.call_tool(tool, arguments)
            assert not result.is_error, text_of(result)


async def test_a_long_streamed_answer_takes_part_and_what_had_come_is_not_lost(upstream: Upstream) -> None:
    chunk = {"choices": [{"delta": {"content": "word " * 200}, "finish_reason": None}]}
    streamed = b"data: " + json.dumps(chunk).encode() + b"\n\n"

    async def stream_endlessly(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(2_000):
            await send({"type": "http.response.body", "body": streamed, "more_body": True})

    upstream.memory = SharedMemory(2 * MIB, lambda free: free * 2 // 3, patience=0.05)
    async with serve_app(stream_endlessly) as url:
        route = Route.parse(url)
        caller = Caller.of(SecretStr("key-of-alice"), "a key", route, None)
        work_for("key-of-alice")
        alice = upstream.client(caller, Progress(ignore))
        with pytest.raises(RateLimited) as refused:
            await complete(
                alice, ChatCall(model="mistral-small-latest", messages=[{"role": "user", "content": "?"}])
            )

    assert "memory" in str(refused.value)
    assert len(refused.value.partial) > 250_000
    assert alice.memory.size > MIB
    alice.memory.release()
    assert alice.memory.size == 0


async def ignore(_done: float, _total: float | None, _message: str | None) -> None:
    """Progress that nobody looks at."""
