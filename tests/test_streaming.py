"""A caller that asks for progress receives the answer as it grows, and the same result as a caller that does not."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp_types import CallToolResult
from starlette.requests import Request

from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from tests.conftest import TRANSPORTS, connect_over_http, text_of

WIRES = ["stdio", "http-2026", "http-2025"]

FUNCTION = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("mistral_chat", "text", {"prompt": "Hello"}),
    ("mistral_chat", "text", {"prompt": "Write a poem, été → ☀"}),
    ("mistral_chat", "text", {"prompt": "Write a poem", "max_tokens": 5}),
    ("mistral_chat", "text", {"prompt": "Write a poem", "max_tokens": 0}),
    ("mistral_chat", "text", {"prompt": "A city", "json_schema": SCHEMA}),
    ("mistral_chat", "text", {"prompt": "Think and write", "reasoning_effort": "high"}),
    ("mistral_chat", "text", {"prompt": "Think", "model": "magistral-medium-latest"}),
    ("mistral_chat", "text", {"prompt": "Write", "model": "sandbox-chunks"}),
    ("mistral_chat", "text", {"prompt": "Write", "model": "sandbox-odd-finish"}),
    ("mistral_chat", "text", {"prompt": "Write", "model": "sandbox-null-usage"}),
    ("mistral_function_call", "text", {"functions": [FUNCTION], "prompt": "Weather in Paris?"}),
    ("mistral_function_call", "text", {"functions": [FUNCTION], "prompt": "Write", "tool_choice": "none"}),
    (
        "mistral_function_call",
        "text",
        {"functions": [FUNCTION, {"name": "get_time"}], "prompt": "Weather and time in Paris?"},
    ),
    (
        "mistral_function_call",
        "text",
        {"functions": [FUNCTION], "prompt": "Weather in Paris?", "model": "sandbox-object-arguments"},
    ),
    (
        "mistral_function_call",
        "text",
        {"functions": [FUNCTION], "prompt": "Weather in Paris?", "model": "sandbox-not-json", "max_repairs": 2},
    ),
    ("mistral_code_complete", "completion", {"prompt": "def add(a, b):", "suffix": "print(1)"}),
]


class Ear:
    """Hears the reports of one call."""

    def __init__(self) -> None:
        self.far: list[float] = []
        self.texts: list[str] = []
        self.first = anyio.Event()

    async def __call__(self, progress: float, _: float | None, message: str | None) -> None:
        self.far.append(progress)
        self.texts.append(message or "")
        self.first.set()

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def grows(self) -> bool:
        return self.far == sorted(set(self.far))


@pytest.mark.parametrize("wire", WIRES)
async def test_what_is_heard_is_the_answer_and_the_result_is_that_of_a_call_without_a_listener(wire: str) -> None:
    mistral = Sandbox(chunk_delay=0.001)
    with anyio.fail_after(60):
        async with serve_app(mistral) as url, TRANSPORTS[wire](url) as client:
            for name, member, arguments in CALLS:
                mistral.reset()
                ear = Ear()
                plain = await client.call_tool(name, arguments)
                sent = [request.json for request in mistral.requests]
                mistral.reset()
                heard = await client.call_tool(name, arguments, progress_callback=ear)

                assert not plain.is_error, text_of(plain)
                assert heard.structured_content == plain.structured_content, arguments
                assert text_of(heard) == text_of(plain)
                assert ear.text == heard.structured_content[member], arguments
                assert ear.grows
                assert [request.json for request in mistral.requests] == [
                    {**body, "stream": True} for body in sent
                ]


@pytest.mark.parametrize("wire", WIRES[:3])
async def test_the_text_is_heard_while_mistral_still_writes_and_no_more_than_ten_times_a_second(wire: str) -> None:
    mistral, ear = Sandbox(chunk_delay=0.02), Ear()
    async with serve_app(mistral) as url, TRANSPORTS[wire](url) as client:
        started = time.monotonic()
        async with anyio.create_task_group() as group:

            async def call() -> None:
                result = await client.call_tool("mistral_chat", {"prompt": "Write a poem"}, progress_callback=ear)
                assert ear.text == result.structured_content["text"]

            group.start_soon(call)
            with anyio.fail_after(10):
                await ear.first.wait()
                assert mistral.active == 1
        seconds = time.monotonic() - started

    assert seconds > 1.2
    assert 5 < len(ear.texts) <= 8 * seconds + 3


async def test_a_model_that_is_slow_to_begin_is_waited_for(sandbox: Sandbox) -> None:
    """Past the deadline of a call that nobody listens to."""
    sandbox.faults.append(Fault(delay=1.2))
    async with serve_app(sandbox) as url, connect_over_http(url, timeout=0.5, stream_timeout=10) as client:
        ear = Ear()
        heard = await client.call_tool("mistral_chat", {"prompt": "Hello"}, progress_callback=ear)
        sandbox.faults.append(Fault(delay=1.2))
        plain = await client.call_tool("mistral_chat", {"prompt": "Hello"})

    assert ear.text == heard.structured_content["text"]
    assert plain.is_error
    assert "within 0.5 s" in text_of(plain)


async def test_thinking_gives_a_sign_of_life_and_nothing_to_show() -> None:
    mistral, ear = Sandbox(chunk_delay=0.12), Ear()
    call = {"prompt": "Think", "reasoning_effort": "high"}
    async with serve_app(mistral) as url, connect_over_http(url) as client:
        result = await client.call_tool("mistral_chat", call, progress_callback=ear)

    assert result.structured_content["thinking"]
    assert ear.texts[0] == ""
    assert ear.texts.count("") >= 2
    assert ear.text == result.structured_content["text"]
    assert ear.grows


BREAKS = [
    (Fault(cut_after=40), "dropped the connection"),
    (Fault(no_done=True, cut_after=40), "broke off before its end"),
    (Fault(error_event=True, cut_after=40), "failed with a server error"),
    (Fault(pass_through=True), "did not finish"),
]


@pytest.mark.parametrize("wire", WIRES[:3])
async def test_a_stream_that_breaks_or_takes_too_long_keeps_what_had_come(wire: str) -> None:
    mistral = Sandbox(chunk_delay=0.02)
    poem = {"prompt": "Write a poem"}
    with anyio.fail_after(60):
        async with serve_app(mistral) as url, TRANSPORTS[wire](url, stream_timeout=1.5) as client:
            whole = (await client.call_tool("mistral_chat", poem)).structured_content["text"]
            for fault, words in BREAKS:
                mistral.reset()
                mistral.faults.append(fault)
                ear = Ear()
                broken = await client.call_tool("mistral_chat", poem, progress_callback=ear)
                again = await client.call_tool("mistral_chat", {"prompt": "Hello"})

                said, _, partial = text_of(broken).partition("\n\nReceived before it broke:\n")
                assert broken.is_error
                assert words in said
                assert "correlation id" in said
                assert len(partial) > 20
                assert whole.startswith(partial)
                assert partial.startswith(ear.text)
                assert ear.text
                assert broken.structured_content is None
                assert len(mistral.requests) == 2
                assert not again.is_error


@asynccontextmanager
async def connect_to_pieces(*pieces: bytes, **options: Any) -> AsyncGenerator[Client]:
    """A client of a server whose Mistral writes exactly these pieces, one packet each."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await Request(scope, receive).body()
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with serve_app(app) as url, connect_over_http(url, **options) as client:
        yield client


def event(text: str, finish_reason: str | None = None) -> str:
    return json.dumps(
        {"choices": [{"delta": {"content": text}, "finish_reason": finish_reason}]}, ensure_ascii=False
    )


async def listen(client: Client) -> tuple[CallToolResult, Ear]:
    ear = Ear()
    return await client.call_tool("mistral_chat", {"prompt": "?"}, progress_callback=ear), ear


TEXT = "Zoë: été → ☀🌍\n"


@pytest.mark.parametrize(
    "form",
    [
        "data: {a}\n\ndata: {b}\n\ndata: [DONE]\n\n",
        "data:{a}\r\n\r\ndata:{b}\r\n\r\ndata:[DONE]\r\n\r\n",
        ": hello\n\nevent: chunk\nid: 1\ndata: {a}\n\n:\nretry: 10\n\ndata: {b}\n\ndata: [DONE]\n\n",
        "data: {a}\n\ndata: {b}\n\ndata: [DONE]\n\ndata: {a}\n\n",
        "data: {a}\n\ndata: {b}\n\n",
        "data: {a}\n\ndata: {b}",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_events_are_read_however_they_are_written_and_cut(form: str, size: int) -> None:
    """The last one lacks its end, which a parser may mind; what it may not do is give half of an answer as whole."""
    body = form.format(a=event(TEXT), b=event("Hi", "stop")).encode()
    async with connect_to_pieces(*(body[at : at + size] for at in range(0, len(body), size))) as client:
        result, ear = await listen(client)

    if result.is_error:
        assert form.endswith("{b}")
        assert text_of(result).endswith(f"Received before it broke:\n{TEXT}")
    else:
        assert result.structured_content["text"] == ear.text == TEXT + "Hi"


async def test_bytes_that_are_no_text_do_no_harm() -> None:
    async with connect_to_pieces(b"data: \xff\xfe\x00\n\n") as client:
        result, _ = await listen(client)

    assert result.is_error
    assert "cannot be read" in text_of(result)
