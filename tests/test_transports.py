"""Every core tool over every transport and both eras: the same results."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp_types import CallToolResult

from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, TRANSPORTS, connect_in_memory, text_of

FUNCTION = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("mistral_chat", {"prompt": "Hello"}),
    ("mistral_chat", {"prompt": "A city", "json_schema": SCHEMA}),
    ("mistral_chat", {"prompt": "Think", "reasoning_effort": "high", "temperature": 0}),
    ("mistral_function_call", {"functions": [FUNCTION], "prompt": "Weather in Paris?"}),
    ("mistral_embed", {"inputs": ["one"], "output": "inline"}),
    ("mistral_embed", {"inputs": ["one", "two"], "output": "inline"}),
    ("mistral_rank", {"query": "cat", "documents": ["a dog", "a cat"]}),
    ("mistral_code_complete", {"prompt": "def f(", "suffix": "):"}),
    ("mistral_moderate", {"inputs": ["a nice day"]}),
    ("mistral_moderate", {"messages": [{"role": "user", "content": "Hi"}]}),
    ("mistral_list_models", {"capability": "vision"}),
    ("mistral_get_model", {"model": "mistral-embed"}),
    ("mistral_chat", {}),
    ("mistral_get_model", {"model": "mistral-tiny-9"}),
]


def visible_part(result: CallToolResult) -> object:
    """What a caller sees, without what differs from request to request."""
    meta = {name: value for name, value in (result.meta or {}).items() if name == "mistral-mcp/error"}
    text = text_of(result)
    return result.is_error, result.structured_content, text.split("(HTTP")[0], len(result.content), meta


@pytest.fixture(params=[name for name in TRANSPORTS if name != "in-memory"])
async def client(request: pytest.FixtureRequest, mistral_url: str) -> AsyncIterator[Client]:
    async with TRANSPORTS[request.param](mistral_url) as client:
        yield client


async def test_every_tool_gives_the_same_as_in_memory(client: Client, mistral_url: str) -> None:
    with anyio.fail_after(60):
        async with connect_in_memory(mistral_url) as reference:
            for name, arguments in CALLS:
                expected = visible_part(await reference.call_tool(name, arguments))
                assert visible_part(await client.call_tool(name, arguments)) == expected, name


async def test_the_tools_of_the_default_toolsets_are_listed(client: Client) -> None:
    names = {tool.name for tool in (await client.list_tools()).tools}

    assert names == {"mistral_read_result", *(name for name, _ in CALLS)}


async def test_the_key_goes_out_as_a_bearer_and_nowhere_else(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_chat", {"prompt": "Hello"})

    request = sandbox.requests[-1]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    others = {name: value for name, value in request.headers.items() if name != "authorization"}
    assert KEY not in str(others) + request.path + str(request.query) + request.body.decode()


async def test_progress_carries_the_text_as_it_grows(client: Client, sandbox: Sandbox) -> None:
    reports: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))

    result = await client.call_tool("mistral_chat", {"prompt": "Write a poem"}, progress_callback=hear)
    plain = await client.call_tool("mistral_chat", {"prompt": "Write a poem"})

    assert sandbox.requests[-2].json["stream"] is True
    assert "stream" not in sandbox.requests[-1].json
    assert "".join(message or "" for *_, message in reports) == result.structured_content["text"]
    assert [progress for progress, *_ in reports] == sorted({progress for progress, *_ in reports})
    assert visible_part(result)[1] == visible_part(plain)[1]
