"""No answer is larger than a context takes, whatever Mistral sends."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.client import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mistral_mcp.sandbox import serve_app
from mistral_mcp.tools.framework.kept import LONG
from tests.conftest import KEY, connect_in_memory, connect_over_http, read_kept_file, text_of

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
# The key stands where the text is cut, and once more where it is not.
TALE = "long " * (LONG // 5 - 2) + f"it {KEY} is" + " and so on" * 400_000 + KEY


async def answer(request: Request) -> Response:
    asked = await request.json()
    message = {"role": "assistant", "content": TALE}
    if asked.get("stream"):
        events = [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": TALE[start : start + 100_000]}}]}
            for start in range(0, len(TALE), 100_000)
        ]
        body = "".join(f"data: {json.dumps({'id': '1', 'model': 'm', **event})}\n\n" for event in events)
        body += 'data: {"object": "error", "message": "The model broke down", "code": "3505"}\n\n'
        return Response(body, media_type="text/event-stream")
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return JSONResponse({"id": "1", "model": "m", "choices": choices, "usage": USAGE})


async def list_models(_: Request) -> Response:
    cards = [{"id": f"model-{number}", "description": "x" * 1_000} for number in range(400)]
    return JSONResponse({"data": cards})


MISTRAL = Starlette(
    routes=[
        Route("/v1/chat/completions", answer, methods=["POST"]),
        Route("/v1/fim/completions", answer, methods=["POST"]),
        Route("/v1/agents/completions", answer, methods=["POST"]),
        Route("/v1/models", list_models),
    ]
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serve_app(MISTRAL) as url, connect_in_memory(url, output_dir=tmp_path, toolsets="all") as client:
        yield client


def whole_text() -> str:
    return TALE.replace(KEY, "[masked]")


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("mistral_chat", {"prompt": "Hello"}, "text"),
        ("mistral_code_complete", {"prompt": "def f"}, "completion"),
        ("mistral_agent_complete", {"agent_id": "ag_1", "prompt": "Hello"}, "text"),
        ("mistral_function_call", {"functions": [{"name": "f"}], "prompt": "Hello"}, "text"),
    ],
)
async def test_a_long_answer_is_kept_and_its_beginning_shown(
    client: Client, tool: str, arguments: dict[str, Any], field: str
) -> None:
    result = await client.call_tool(tool, arguments)

    if tool == "mistral_function_call":  # its message goes back into the conversation, so it is whole or nowhere
        assert result.is_error
        assert len(text_of(result)) < 1_000
        return
    shown = result.structured_content[field]
    assert shown == whole_text()[:LONG]
    assert "mistral_read_result" in text_of(result)
    assert len(text_of(result)) < LONG + 1_000
    assert read_kept_file(result.structured_content["kept"]).decode() == whole_text()


async def test_each_answer_of_a_comparison_is_kept(client: Client) -> None:
    result = await client.call_tool("mistral_compare", {"models": ["one", "two"], "prompt": "Hello"})

    answers = result.structured_content["answers"]
    assert [answer["text"] for answer in answers] == [whole_text()[: LONG // 2]] * 2
    assert [read_kept_file(answer["kept"]).decode() for answer in answers] == [whole_text()] * 2


async def test_what_had_come_of_a_long_answer_that_broke_is_kept() -> None:
    async def listen(*_: object) -> None:
        """A caller that asks for progress."""

    async with serve_app(MISTRAL) as url, connect_over_http(url) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hello"}, progress_callback=listen)

    assert result.is_error
    assert "Received before it broke" in text_of(result)
    assert "mistral_read_result" in text_of(result)
    assert len(text_of(result)) < LONG + 2_000


async def test_a_list_that_is_too_long_to_show_is_kept_and_the_error_says_where(client: Client) -> None:
    result = await client.call_tool("mistral_list_models", {})

    assert result.is_error
    assert len(text_of(result)) < 1_000
    [path] = [word for word in text_of(result).split() if "mistral_list_models" in word]
    kept = json.loads(read_kept_file({"path": path.rstrip(".]")}))
    assert len(kept["models"]) == 400


async def test_a_stream_that_never_ends_is_not_read_on() -> None:
    async def flood(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            event = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "x" * 500_000}}]}
            while True:
                sent += 1
                await anyio.lowlevel.checkpoint()  # at which it is ended, once nobody reads
                yield f"data: {json.dumps(event)}\n\n".encode()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def listen(*_: object) -> None:
        """A caller that asks for progress."""

    sent = 0
    mistral = Starlette(routes=[Route("/v1/chat/completions", flood, methods=["POST"])])
    async with serve_app(mistral) as url, connect_over_http(url, stream_timeout=20) as client:
        with anyio.fail_after(20):
            result = await client.call_tool("mistral_chat", {"prompt": "Hello"}, progress_callback=listen)

    assert result.is_error
    assert "larger than" in text_of(result)
    assert sent < 60
