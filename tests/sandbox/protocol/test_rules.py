"""What is refused although the body fits: in Mistral's words, with Mistral's codes."""

import base64

import httpx2
import pytest

USER = {"role": "user", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be brief"}
SPOKEN = {"role": "assistant", "content": "Hi"}
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()

ORDER = (400, "invalid_request_message_order", "3230")
CALL = (400, "invalid_function_call", "3280")
ARGS = (400, "invalid_request_invalid_args", "3051")
FILE = (400, "invalid_request_file", "3310")
PLAIN = (400, "invalid_request_error", None)


def calling(*ids: str) -> dict:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(call_id: str) -> dict:
    return {"role": "tool", "tool_call_id": call_id, "content": "42"}


def showing(*urls: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": url} for url in urls]}]


def function(name: str) -> dict:
    return {"type": "function", "function": {"name": name, "parameters": {}}}


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "Conversation must have at least one message"),
        ([USER, calling("abcdefghi"), result("abcdefghi"), USER], "Unexpected role 'user' after role 'tool'"),
        ([USER, result("abcdefghi")], "Unexpected role 'tool' after role 'user'"),
        (
            [USER, SPOKEN],
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        ),
        (
            [SYSTEM],
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got system",
        ),
        (
            [USER, calling("abcdefghi", "bcdefghij"), result("abcdefghi")],
            "Not the same number of function calls and responses",
        ),
        (
            [USER, calling("abcdefghi"), result("abcdefghi"), result("bcdefghij")],
            "Not the same number of function calls and responses",
        ),
        ([USER, calling("abcdefghi"), USER], "Not the same number of function calls and responses"),
    ],
)
async def test_messages_out_of_order_are_3230(messages: list, message: str, refused):
    assert await refused(messages=messages) == (*ORDER, message)


@pytest.mark.parametrize("call_id", ["call_abc123", "short", "abcdefgh-"])
async def test_tool_call_ids_have_nine_letters_and_digits(call_id: str, refused):
    message = f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9."
    assert await refused(messages=[USER, calling(call_id), result(call_id)]) == (*CALL, message)
    assert await refused(messages=[USER, calling("abcdefghi"), result(call_id)]) == (*CALL, message)


async def test_a_conversation_that_keeps_the_rules_is_answered(chat):
    history = [SYSTEM, SYSTEM, USER, USER, calling("abcdefghi", "bcdefghij")]
    for messages in (
        [*history, result("abcdefghi"), result("bcdefghij")],
        [*history, result("abcdefghi"), result("bcdefghij"), SPOKEN, USER],
        [USER, {**SPOKEN, "prefix": True}],
    ):
        assert (await chat(messages=messages)).status_code == 200


async def test_an_assistant_message_needs_content_or_calls(refused):
    assert (await refused(messages=[USER, {"role": "assistant"}, USER]))[:3] == PLAIN


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/fim/completions", "/v1/embeddings", "/v1/moderations"])
async def test_an_unknown_model_is_1500(path: str, api: httpx2.AsyncClient):
    for model in ("gpt-5", "open-mistral-7b"):
        needed = {"messages": [USER]} if "chat" in path else {"prompt": "x"} if "fim" in path else {"input": "x"}
        reply = await api.post(path, json={"model": model, **needed})
        assert reply.status_code == 400
        assert reply.json() == {
            "object": "error",
            "message": f"Invalid model: {model}",
            "type": "invalid_model",
            "param": None,
            "code": "1500",
            "raw_status_code": 400,
        }


async def test_a_model_of_another_kind_is_unknown_to_chat(refused):
    assert (await refused(model="mistral-embed"))[1:3] == ("invalid_model", "1500")


async def test_greedy_sampling_wants_top_p_to_be_1(chat, refused):
    greedy = (*PLAIN, "top_p must be 1 when using greedy sampling.")
    assert await refused(temperature=0, top_p=0.9) == greedy
    assert (await chat(temperature=0, top_p=1)).status_code == 200
    assert (await chat(temperature=0)).status_code == 200


async def test_one_model_has_a_default_that_greedy_thinking_does_not_allow(chat, refused):
    thinking = {"model": "mistral-medium-latest", "reasoning_effort": "high", "temperature": 0}
    assert (await refused(**thinking))[3] == "top_p must be 1 when using greedy sampling."
    assert (await chat(**thinking, top_p=1)).status_code == 200
    assert (await chat(**{**thinking, "reasoning_effort": "none"})).status_code == 200


async def test_reasoning_prompt_mode_is_for_magistral(chat, refused):
    assert (await refused(prompt_mode="reasoning"))[3] == "Reasoning prompt mode is not enabled for this model"
    assert (await chat(model="magistral-medium-latest", prompt_mode="reasoning")).status_code == 200


async def test_a_prompt_longer_than_the_window_is_3051(refused):
    status, kind, code, message = await refused("word " * 200_000, model="codestral-latest")
    assert (status, kind, code) == ARGS
    assert message == (
        "Prompt contains 250004 tokens and 0 draft tokens, too large for model with 131072 maximum context length"
    )


async def test_the_answer_has_to_fit_into_the_window_too(refused):
    assert (await refused(max_tokens=262_144))[:3] == ARGS


async def test_images_are_for_models_that_see(chat, refused):
    image = showing(PNG)
    assert await refused(messages=image, model="codestral-latest") == (
        *ARGS,
        "Image input is not enabled for this model",
    )
    assert (await chat(messages=image)).status_code == 200
    assert (await chat(messages=showing("https://example.com/a.png"))).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "https://nowhere.invalid/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,????",
        "data:image/png;base64," + base64.b64encode(b"no picture").decode(),
        "data:text/plain;base64,aGVsbG8=",
    ],
)
async def test_an_image_that_cannot_be_loaded_is_3310(url: str, refused):
    assert (await refused(messages=showing(url)))[:3] == FILE


async def test_eight_images_are_enough(chat, refused):
    assert (await chat(messages=showing(*[PNG] * 8))).status_code == 200
    assert (await refused(messages=showing(*[PNG] * 9)))[:3] == ARGS


async def test_functions_have_plain_names_and_are_at_most_128(refused):
    assert (await refused(tools=[function("no spaces")]))[:3] == CALL
    assert (await refused(tools=[function(f"f{number}") for number in range(129)]))[:3] == PLAIN


async def test_a_forced_function_has_to_be_offered(refused):
    named = {"type": "function", "function": {"name": "g"}}
    assert (await refused(tools=[function("f")], tool_choice=named))[:3] == PLAIN
    assert (await refused(tool_choice="any"))[:3] == PLAIN


async def test_a_json_schema_format_needs_its_schema(refused):
    assert (await refused(response_format={"type": "json_schema"}))[:3] == PLAIN


async def test_large_does_not_give_several_answers(refused):
    assert (await refused(model="mistral-large-latest", n=2))[:3] == ARGS
