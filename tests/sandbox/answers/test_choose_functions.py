"""Which functions are called, and with what."""

import json

import jsonschema
import pytest

USER = {"role": "user", "content": "What is the weather in Paris for 5 days in fahrenheit?"}
RESULT_ID = "abcdefghi"
CALLED = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": RESULT_ID, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
}


def names(message: dict) -> list[str]:
    return [call["function"]["name"] for call in message["tool_calls"] or []]


@pytest.fixture
def tools(weather: dict, currency: dict) -> list[dict]:
    return [weather, currency]


async def test_the_function_the_prompt_is_about_is_called(ask_for_message, tools: list):
    assert names(await ask_for_message("How is the weather in Rome?", tools=tools)) == ["get_weather"]
    assert names(await ask_for_message("Exchange 5 EUR", tools=tools)) == ["convert_currency"]


async def test_both_are_called_if_it_is_about_both(chat, tools: list):
    choice = (await chat("Weather and currency in Peru", tools=tools)).json()["choices"][0]
    assert names(choice["message"]) == ["get_weather", "convert_currency"]
    assert [call["index"] for call in choice["message"]["tool_calls"]] == [0, 1]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "")


async def test_without_parallel_calls_there_is_one(ask_for_message, tools: list):
    message = await ask_for_message("Weather and currency in Peru", tools=tools, parallel_tool_calls=False)
    assert names(message) == ["get_weather"]


async def test_a_prompt_about_something_else_calls_nothing(ask_for_message, tools: list):
    message = await ask_for_message("Who wrote Faust?", tools=tools)
    assert message["tool_calls"] is None
    assert "Who wrote Faust?" in message["content"]


async def test_none_calls_nothing_whatever_the_prompt(ask_for_message, tools: list):
    assert names(await ask_for_message("Weather in Rome", tools=tools, tool_choice="none")) == []


@pytest.mark.parametrize("choice", ["any", "required"])
async def test_any_and_required_call_something_whatever_the_prompt(choice: str, ask_for_message, tools: list):
    assert names(await ask_for_message("Who wrote Faust?", tools=tools, tool_choice=choice)) == ["get_weather"]


async def test_a_named_function_is_the_one_that_is_called(ask_for_message, tools: list):
    choice = {"type": "function", "function": {"name": "convert_currency"}}
    assert names(await ask_for_message("Weather in Rome", tools=tools, tool_choice=choice)) == ["convert_currency"]


async def test_arguments_come_from_the_prompt_and_satisfy_the_schema(ask_for_message, weather: dict):
    message = await ask_for_message(messages=[USER], tools=[weather])
    arguments = json.loads(message["tool_calls"][0]["function"]["arguments"])
    assert arguments == {"city": "Paris", "days": 5, "unit": "fahrenheit"}
    jsonschema.validate(arguments, weather["function"]["parameters"])


async def test_ids_are_nine_letters_and_digits_and_always_the_same(ask_for_message, tools: list):
    asked = {"prompt": "Weather and currency in Peru", "tools": tools}
    first, second = [(await ask_for_message(**asked))["tool_calls"] for _ in range(2)]
    ids = [call["id"] for call in first]
    assert all(len(each) == 9 and each.isalnum() and each.isascii() for each in ids)
    assert first == second
    assert len(set(ids)) == 2


async def test_after_a_result_the_answer_quotes_it(ask_for_message, tools: list):
    result = {"role": "tool", "tool_call_id": RESULT_ID, "content": "21 degrees"}
    message = await ask_for_message(messages=[USER, CALLED, result], tools=tools)
    assert names(message) == []
    assert 'the tools said "21 degrees"' in message["content"]


async def test_a_thinking_model_thinks_before_it_calls(ask_for_message, weather: dict):
    message = await ask_for_message(messages=[USER], tools=[weather], reasoning_effort="high")
    assert [chunk["type"] for chunk in message["content"]] == ["thinking"]
    assert names(message) == ["get_weather"]
