"""Each model that only the sandbox has answers in its rare shape."""

import json

import httpx2
import jsonschema
import pytest

from mistral_mcp.sandbox import SANDBOX_MODELS

PROMPT = "Weather in Rome for 2 days"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}


def arguments(message: dict) -> object:
    return message["tool_calls"][0]["function"]["arguments"]


@pytest.mark.parametrize("model", SANDBOX_MODELS)
async def test_they_answer_by_id_and_are_not_listed(model: str, chat, api: httpx2.AsyncClient):
    assert (await chat(model=model)).status_code == 200
    assert (await api.get(f"/v1/models/{model}")).status_code == 200
    assert model not in [card["id"] for card in (await api.get("/v1/models")).json()["data"]]


async def test_arguments_can_break_the_schema(ask_for_message, weather: dict):
    message = await ask_for_message(PROMPT, model="sandbox-bad-arguments", tools=[weather])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(arguments(message)), weather["function"]["parameters"])


async def test_arguments_can_be_no_json(ask_for_message, weather: dict):
    with pytest.raises(json.JSONDecodeError):
        json.loads(arguments(await ask_for_message(PROMPT, model="sandbox-not-json", tools=[weather])))


async def test_arguments_can_be_an_object(ask_for_message, weather: dict):
    message = await ask_for_message(PROMPT, model="sandbox-object-arguments", tools=[weather])
    assert arguments(message) == {"city": "Rome", "days": 2}


@pytest.mark.parametrize("model", ["sandbox-bad-arguments", "sandbox-not-json"])
@pytest.mark.parametrize("choice", ["auto", "any"])
async def test_a_complaint_in_the_tool_result_makes_them_right(
    model: str, choice: str, ask_for_message, weather: dict
):
    asked = {"model": model, "tools": [weather], "tool_choice": choice}
    user = {"role": "user", "content": PROMPT}
    wrong = await ask_for_message(messages=[user], **asked)
    complaint = {
        "role": "tool",
        "tool_call_id": wrong["tool_calls"][0]["id"],
        "content": "Invalid: city: not a string",
    }
    mended = await ask_for_message(messages=[user, wrong, complaint], **asked)
    assert json.loads(arguments(mended)) == {"city": "Rome", "days": 2}


async def test_a_complaint_of_the_user_makes_them_right_too(ask_for_message, weather: dict):
    asked = {"model": "sandbox-bad-arguments", "tools": [weather]}
    user = {"role": "user", "content": PROMPT}
    wrong = await ask_for_message(messages=[user], **asked)
    result = {"role": "tool", "tool_call_id": wrong["tool_calls"][0]["id"], "content": "-"}
    turns = [
        user,
        wrong,
        result,
        {"role": "assistant", "content": "Hm"},
        {"role": "user", "content": "city is required"},
    ]
    assert json.loads(arguments(await ask_for_message(messages=turns, **asked))) == {"city": "Rome", "days": 2}


async def test_json_can_miss_its_schema_until_told(ask_for_message):
    asked = {"model": "sandbox-bad-json", "response_format": FORMAT}
    user = {"role": "user", "content": "Describe Ada"}
    wrong = await ask_for_message(messages=[user], **asked)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(wrong["content"]), PERSON)
    complaint = {"role": "user", "content": "name must be a string"}
    mended = await ask_for_message(
        messages=[user, {"role": "assistant", "content": wrong["content"]}, complaint], **asked
    )
    jsonschema.validate(json.loads(mended["content"]), PERSON)


async def test_content_can_be_text_and_references(chat, ask_for_message):
    chunks = (await ask_for_message(model="sandbox-chunks"))["content"]
    assert [chunk["type"] for chunk in chunks] == ["text", "reference", "text", "reference"]
    streamed = (await chat(model="sandbox-chunks", stream=True)).text
    assert '"reference_ids":[0,"source-0"]' in streamed


async def test_a_choice_can_hold_messages(chat):
    choice = (await chat(model="sandbox-choice-messages")).json()["choices"][0]
    assert "message" not in choice
    assert choice["messages"][0]["content"].startswith("Sandbox answer")


async def test_a_finish_reason_can_be_unheard_of(chat):
    assert (await chat(model="sandbox-odd-finish")).json()["choices"][0]["finish_reason"] == "sandbox_ended"


async def test_usage_can_be_null(chat):
    assert set((await chat(model="sandbox-null-usage")).json()["usage"].values()) == {None}


async def test_cached_tokens_can_stand_elsewhere(chat):
    usage = (await chat(model="sandbox-cached-usage")).json()["usage"]
    cached = usage["prompt_tokens"] // 2
    assert (usage["num_cached_tokens"], usage["prompt_token_details"]) == (cached, {"cached_tokens": cached})
    assert "prompt_tokens_details" not in usage
    assert usage["completion_tokens_details"]["reasoning_tokens"] > 0


async def test_a_reply_can_name_another_model(chat):
    assert (await chat(model="sandbox-other-model")).json()["model"] == "mistral-small-2603"


async def test_a_call_can_be_written_as_text(ask_for_message, weather: dict):
    message = await ask_for_message(PROMPT, model="sandbox-call-as-text", tools=[weather])
    assert message["tool_calls"] is None
    assert message["content"].startswith('[TOOL_CALLS]get_weather{"city"')


async def test_ids_can_be_ones_that_are_not_taken_back(ask_for_message, ask_for_error, weather: dict):
    user = {"role": "user", "content": PROMPT}
    message = await ask_for_message(model="sandbox-foreign-ids", tools=[weather], messages=[user])
    call_id = message["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": call_id, "content": "Sunny"}
    error = await ask_for_error(model="sandbox-foreign-ids", tools=[weather], messages=[user, message, result])
    assert error[1:3] == ("invalid_function_call", "3280")


async def test_thinking_can_be_split(ask_for_message, ask_for_error):
    message = await ask_for_message(model="sandbox-split-thinking", reasoning_effort="high")
    assert [chunk["type"] for chunk in message["content"]] == ["thinking", "text", "thinking", "text"]
    user = {"role": "user", "content": "And now?"}
    assert (await ask_for_error(messages=[user, message, user]))[2] == "3240"


async def test_an_error_can_stand_in_a_200(chat):
    reply = await chat(model="sandbox-error-in-ok")
    assert (reply.status_code, reply.json()["object"], reply.json()["code"]) == (200, "error", "3280")
