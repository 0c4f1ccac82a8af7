"""mistral_function_call, against the sandbox."""

import json

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from tests.conftest import expect_refusal_at_once, text_of

WEATHER = {
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
    },
}


async def test_a_call_comes_with_parsed_and_checked_arguments(client: Client) -> None:
    result = await client.call_tool(
        "mistral_function_call", {"functions": [WEATHER], "prompt": "What is the weather in Paris?"}
    )

    [call] = result.structured_content["calls"]
    assert call["name"] == "get_weather"
    assert call["arguments"]["city"] == "Paris"
    assert call["valid"] is True
    assert call["errors"] == []
    assert result.structured_content["finish_reason"] == "tool_calls"
    assert text_of(result).startswith("get_weather(")


async def test_openais_tool_format_gives_the_same_request(client: Client, sandbox: Sandbox) -> None:
    for functions in ([WEATHER], [{"type": "function", "function": WEATHER}]):
        await client.call_tool("mistral_function_call", {"functions": functions, "prompt": "Weather in Paris?"})

    first, second = sandbox.requests
    assert first.json == second.json


async def test_the_assistant_message_can_be_handed_back_with_results(client: Client) -> None:
    turns = [{"role": "user", "content": "Weather in Paris?"}]
    asked = await client.call_tool("mistral_function_call", {"functions": [WEATHER], "messages": turns})
    [call] = asked.structured_content["calls"]
    turns += [
        asked.structured_content["assistant_message"],
        {"role": "tool", "tool_call_id": call["id"], "content": "18 degrees"},
    ]
    answered = await client.call_tool("mistral_function_call", {"functions": [WEATHER], "messages": turns})

    assert answered.structured_content["calls"] == []
    assert "18 degrees" in answered.structured_content["text"]


async def test_a_conversation_from_another_vendor_continues(client: Client, sandbox: Sandbox) -> None:
    """OpenAI's ids and its empty members; Mistral takes neither."""
    turns = [
        {"role": "user", "content": "Weather in Paris?"},
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {
                    "id": "call_9pwJGyPOcZxqxAk4nQkDfVQn",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_9pwJGyPOcZxqxAk4nQkDfVQn", "content": "18 degrees"},
    ]
    for _ in range(2):
        result = await client.call_tool("mistral_function_call", {"functions": [WEATHER], "messages": turns})
        assert not result.is_error, text_of(result)

    first, second = [request.json["messages"] for request in sandbox.requests]
    assert first == second
    assert first[1]["tool_calls"][0]["id"] == first[2]["tool_call_id"]
    assert len(first[2]["tool_call_id"]) == 9


async def test_a_user_turn_after_a_result_gets_the_assistant_turn_it_needs(
    client: Client, sandbox: Sandbox
) -> None:
    turns = [
        {"role": "user", "content": "Weather in Paris?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "aBcDeFgH1", "function": {"name": "get_weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "aBcDeFgH1", "content": "18 degrees"},
    ]
    result = await client.call_tool(
        "mistral_function_call", {"functions": [WEATHER], "messages": turns, "prompt": "Thanks. And now?"}
    )

    assert not result.is_error, text_of(result)
    assert [turn["role"] for turn in sandbox.requests[-1].json["messages"]] == [
        "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip


async def test_invalid_arguments_are_shown_with_their_errors(client: Client) -> None:
    result = await client.call_tool(
        "mistral_function_call",
        {"functions": [WEATHER], "prompt": "Weather in Paris?", "model": "sandbox-bad-arguments"},
    )

    [call] = result.structured_content["calls"]
    assert call["valid"] is False
    assert call["errors"]
    assert "INVALID" in text_of(result)


async def test_a_repair_asks_again_with_the_errors_and_adds_up_the_usage(client: Client, sandbox: Sandbox) -> None:
    result = await client.call_tool(
        "mistral_function_call",
        {
            "functions": [WEATHER],
            "prompt": "Weather in Paris?",
            "model": "sandbox-bad-arguments",
            "max_repairs": 2,
        },
    )

    [call] = result.structured_content["calls"]
    assert call["valid"] is True
    first, second = sandbox.requests
    assert [turn["role"] for turn in second.json["messages"]] == ["user", "assistant", "tool"]
    assert "Not run" in second.json["messages"][-1]["content"]
    assert result.structured_content["usage"]["prompt_tokens"] > len(first.body) // 40


@pytest.mark.parametrize("repairs", [0, 1, 3])
async def test_repairs_end_after_the_number_requested(client: Client, sandbox: Sandbox, repairs: int) -> None:
    """Nothing satisfies this schema."""
    stubborn = {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": False}, "required": ["city"]},
    }
    result = await client.call_tool(
        "mistral_function_call",
        {
            "functions": [stubborn],
            "prompt": "Weather in Paris?",
            "tool_choice": "any",
            "max_repairs": repairs,
        },
    )

    assert result.structured_content["calls"][0]["valid"] is False
    assert len(sandbox.requests) == repairs + 1


async def test_arguments_that_are_no_json_are_null(client: Client) -> None:
    result = await client.call_tool(
        "mistral_function_call",
        {"functions": [WEATHER], "prompt": "Weather in Paris?", "model": "sandbox-not-json"},
    )

    [call] = result.structured_content["calls"]
    assert call["arguments"] is None
    assert call["errors"] == ["the arguments are not JSON"]


async def test_arguments_as_an_object_are_as_good_as_a_string(client: Client) -> None:
    result = await client.call_tool(
        "mistral_function_call",
        {"functions": [WEATHER], "prompt": "Weather in Paris?", "model": "sandbox-object-arguments"},
    )

    assert result.structured_content["calls"][0]["arguments"]["city"] == "Paris"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("any", "any"),
        ("required", "required"),
        ("none", "none"),
        ("get_weather", {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
async def test_tool_choice_is_a_word_or_a_functions_name(
    client: Client, sandbox: Sandbox, choice: str, sent: object
) -> None:
    await client.call_tool(
        "mistral_function_call", {"functions": [WEATHER], "prompt": "Hi", "tool_choice": choice}
    )

    assert sandbox.requests[-1].json["tool_choice"] == sent


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"functions": [], "prompt": "x"}, "functions is empty"),
        ({"prompt": "x"}, "functions is missing"),
        ({"functions": [WEATHER] * 2, "prompt": "x"}, "functions[1] has the name of an earlier one"),
        ({"functions": [{"description": "x"}], "prompt": "x"}, "functions[0].name is missing"),
        ({"functions": [WEATHER], "prompt": "x", "tool_choice": "get_wether"}, "did you mean get_weather?"),
        (
            {"functions": [{"name": "f", "parameters": {"$ref": "https://example.com/x.json"}}], "prompt": "x"},
            "functions[0].parameters",
        ),
        ({"functions": [{"name": "f", "parameters": {"type": 7}}], "prompt": "x"}, "functions[0].parameters"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, "mistral_function_call", arguments, sentence)


async def test_a_pattern_that_would_freeze_others_is_answered_in_time(client: Client) -> None:
    function = {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "pattern": "^(a+)+$"}},
            "required": ["city"],
        },
    }
    result = await client.call_tool(
        "mistral_function_call",
        {"functions": [function], "prompt": f'Weather in "{"a" * 40}!"', "tool_choice": "any"},
        read_timeout_seconds=5,
    )

    assert json.dumps(result.structured_content)
