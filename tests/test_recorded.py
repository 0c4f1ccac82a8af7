"""Real exchanges with api.mistral.ai, recorded by public projects, come through the tools whole.

A socket plays each one back.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client import Client
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.sandbox import serve_app
from tests.conftest import RECORDED, connect_over_http, text_of


def read_recording(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
async def replay_client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of a server whose Mistral answers with the recording the test names."""
    exchange = read_recording(request.param)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            await Response(exchange["body"], exchange["status"], exchange["headers"])(scope, receive, send)

    # Progress needs a wire: in memory the SDK does not tell a server whether anybody listens.
    async with serve_app(app) as url, connect_over_http(url, toolsets="core,files") as client:
        yield client


def play(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("replay_client", [name], indirect=True)


@play("chat-plain")
async def test_a_plain_answer(replay_client: Client) -> None:
    result = (await replay_client.call_tool("mistral_chat", {"prompt": "What's 2 + 2?"})).structured_content
    usage = result.pop("usage")
    assert result == {"text": "2 + 2 equals **4**.", "model": "mistral-small-latest", "finish_reason": "stop"}
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (23, 9, 32)
    assert usage["cost_usd"] > 0


@play("chat-json-schema")
async def test_an_answer_by_schema(replay_client: Client) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    result = await replay_client.call_tool(
        "mistral_chat", {"prompt": "Generate a person named Bob", "json_schema": schema}
    )
    assert result.structured_content["parsed"] == {"name": "Bob", "age": 30}


@play("chat-thinking")
async def test_thinking(replay_client: Client) -> None:
    result = await replay_client.call_tool("mistral_chat", {"prompt": "12 * 12?", "reasoning_effort": "high"})
    assert result.structured_content["text"] == "144"
    assert result.structured_content["thinking"].endswith("So, the answer is 144.")


@play("chat-parallel-tool-calls")
async def test_parallel_calls(replay_client: Client) -> None:
    functions = [
        {"name": "weather", "parameters": {"type": "object", "required": ["latitude", "longitude"]}},
        {"name": "best_language_to_learn"},
    ]
    result = (
        await replay_client.call_tool("mistral_function_call", {"prompt": "?", "functions": functions})
    ).structured_content
    assert [(call["id"], call["name"], call["arguments"], call["valid"]) for call in result["calls"]] == [
        ("wyFNfgjhN", "weather", {"latitude": "52.5200", "longitude": "13.4050"}, True),
        ("5K7IOShCC", "best_language_to_learn", {}, True),
    ]
    assert result["finish_reason"] == "tool_calls"
    recorded = json.loads(read_recording("chat-parallel-tool-calls")["body"])["choices"][0]["message"]
    assert result["assistant_message"] == recorded


@play("embeddings")
async def test_vectors(replay_client: Client) -> None:
    inputs = {"inputs": ["Ruby", "Python", "JavaScript"], "output": "inline"}
    result = (await replay_client.call_tool("mistral_embed", inputs)).structured_content
    recorded = [item["embedding"] for item in json.loads(read_recording("embeddings")["body"])["data"]]
    for row, vector in zip(result["embeddings"], recorded, strict=True):
        assert row == pytest.approx(vector, rel=1e-5)
    assert result["usage"]["total_tokens"] == 9


@pytest.mark.parametrize("replay_client", ["chat-stream-padded", "chat-stream-thinking"], indirect=True)
async def test_streams(replay_client: Client, request: pytest.FixtureRequest) -> None:
    heard: list[str] = []
    far: list[float] = []

    async def hear(progress: float, _: float | None, message: str | None) -> None:
        far.append(progress)
        heard.append(message or "")

    result = (
        await replay_client.call_tool("mistral_chat", {"prompt": "?"}, progress_callback=hear)
    ).structured_content
    assert "".join(heard) == result["text"]
    assert far == sorted(set(far))
    expected = {"chat-stream-padded": "1, 2, 3", "chat-stream-thinking": "144"}
    assert result["text"] == expected[request.node.callspec.params["replay_client"]]
    assert result["finish_reason"] == "stop"
    assert result["usage"]["completion_tokens"] > 0


@play("chat-stream-thinking")
async def test_streamed_thinking(replay_client: Client) -> None:
    async def hear(*_: object) -> None:
        pass

    result = await replay_client.call_tool("mistral_chat", {"prompt": "?"}, progress_callback=hear)
    assert result.structured_content["thinking"].startswith("The user is asking for the product of 12")


@play("files-upload")
async def test_an_uploaded_file(replay_client: Client) -> None:
    arguments = {"filename": "sample.pdf", "purpose": "ocr", "content": "%PDF-1.7"}
    result = await replay_client.call_tool("mistral_upload_file", arguments)
    assert result.structured_content["id"] == "bb9e30b1-970f-4a42-b682-8c0079e7c242"
    assert result.structured_content["bytes"] == 18810
    assert result.structured_content["filename"] == "sample.pdf"


@play("invalid-key")
async def test_a_refused_key(replay_client: Client) -> None:
    result = await replay_client.call_tool("mistral_chat", {"prompt": "Hello"})
    assert result.is_error
    assert "the X-Mistral-Api-Key header" in text_of(result)
    assert result.meta["mistral-mcp/correlation_id"] == "01a01a71-adef-761b-9fa0-bffc7640e912"
