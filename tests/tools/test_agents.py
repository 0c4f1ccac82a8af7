"""mistral_agent_complete, against the sandbox."""

from collections.abc import AsyncIterator

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from tests.conftest import connect_in_memory, connect_over_http, expect_refusal_at_once, text_of

AGENT = "ag_0123456789abcdef"
WEATHER = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="agents") as client:
        yield client


async def test_an_agent_answers_like_a_model(client: Client) -> None:
    result = await client.call_tool("mistral_agent_complete", {"agent_id": AGENT, "prompt": "Hello there"})

    assert "Hello there" in text_of(result)
    assert result.structured_content["text"] == text_of(result)
    assert set(result.structured_content) == {"text", "model", "finish_reason", "usage", "calls"}
    assert result.structured_content["calls"] == []
    assert result.structured_content["usage"]["cost_usd"] > 0


async def test_nothing_is_sent_that_an_agent_brings_itself(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_agent_complete", {"agent_id": AGENT, "prompt": "Hi"})

    sent = {name: item for name, item in sandbox.requests[-1].json.items() if name != "prompt_cache_key"}
    assert sent == {"agent_id": AGENT, "messages": [{"role": "user", "content": "Hi"}]}


async def test_calls_are_checked_and_can_be_answered(client: Client) -> None:
    asked = {"agent_id": AGENT, "functions": [WEATHER]}
    prompt = "What is the weather in Berlin for 3 days?"
    result = await client.call_tool(
        "mistral_agent_complete", asked | {"prompt": prompt, "tool_choice": "get_weather"}
    )

    call = result.structured_content["calls"][0]
    assert call["name"] == "get_weather"
    assert call["arguments"] == {"city": "Berlin", "days": 3}
    assert call["valid"]
    assert text_of(result).startswith('get_weather({"city": "Berlin", "days": 3})')
    messages = [
        {"role": "user", "content": prompt},
        result.structured_content["assistant_message"],
        {"role": "tool", "tool_call_id": call["id"], "name": call["name"], "content": "Sunny"},
    ]
    answer = await client.call_tool("mistral_agent_complete", asked | {"messages": messages})
    assert "Sunny" in text_of(answer)


async def test_a_function_of_the_agents_own_is_no_mistake(client: Client, sandbox: Sandbox) -> None:
    call = {"id": "abcdefghi", "function": {"name": "own", "arguments": '{"a": 1}'}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    sandbox.faults.append(Fault(status=200, body={"model": "mistral-medium-latest", "choices": [choice]}))
    result = await client.call_tool("mistral_agent_complete", {"agent_id": AGENT, "prompt": "Hi"})

    assert result.structured_content["calls"] == [
        {"id": "abcdefghi", "name": "own", "arguments": {"a": 1}, "valid": True, "errors": []}
    ]


async def test_json_schema_gives_parsed_data(client: Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    result = await client.call_tool(
        "mistral_agent_complete", {"agent_id": AGENT, "prompt": "A number", "json_schema": schema}
    )

    assert isinstance(result.structured_content["parsed"]["n"], int)


async def test_a_caller_who_listens_gets_the_same_answer_in_pieces(mistral_url: str, sandbox: Sandbox) -> None:
    pieces: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        pieces.append(message or "")

    arguments = {"agent_id": AGENT, "prompt": "Write a poem"}
    async with connect_over_http(mistral_url, toolsets="agents") as client:
        whole = await client.call_tool("mistral_agent_complete", arguments)
        streamed = await client.call_tool("mistral_agent_complete", arguments, progress_callback=hear)

    assert sandbox.requests[-1].json["stream"] is True
    assert streamed.structured_content == whole.structured_content
    assert "".join(pieces) == text_of(whole)


async def test_an_unknown_agent_is_no_unknown_model(client: Client) -> None:
    result = await client.call_tool("mistral_agent_complete", {"agent_id": "ag_unknown", "prompt": "Hi"})

    assert result.is_error
    assert "Check the id" in text_of(result)
    assert "mistral_list_models" not in text_of(result)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"prompt": "x"}, "agent_id is missing"),
        ({"agent_id": AGENT}, "prompt and messages are both missing"),
        ({"agent_id": AGENT, "prompt": "x", "model": "y"}, "unknown argument 'model'"),
        ({"agent_id": AGENT, "prompt": "x", "temperature": 0}, "unknown argument 'temperature'"),
        ({"agent_id": AGENT, "prompt": "x", "tool_choice": "fly"}, "tool_choice is not one of the functions"),
        ({"agent_id": AGENT, "prompt": "x", "functions": [WEATHER, WEATHER]}, "functions[1] has the name of an"),
        ({"agent_id": AGENT, "prompt": "x", "json_schema": {"type": "objekt"}}, "json_schema"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, "mistral_agent_complete", arguments, sentence)


async def test_regions_carry_no_agents() -> None:
    async with connect_in_memory("eu", toolsets="agents") as client:
        result = await client.call_tool("mistral_agent_complete", {"agent_id": AGENT, "prompt": "x"})

    assert "does not support this call" in text_of(result)
