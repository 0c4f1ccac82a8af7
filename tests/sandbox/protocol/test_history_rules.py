"""Conversations that Mistral rejects, with its messages and codes."""

import pytest

USER = {"role": "user", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be brief"}
SPOKEN = {"role": "assistant", "content": "Hi"}

ORDER = (400, "invalid_request_message_order", "3230")
ASSISTANT = (400, "invalid_request_assistant_message", "3240")
CALL = (400, "invalid_function_call", "3280")


def call_turn(*ids: str) -> dict:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(call_id: str) -> dict:
    return {"role": "tool", "tool_call_id": call_id, "content": "42"}


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "Conversation must have at least one message"),
        ([USER, call_turn("abcdefghi"), result("abcdefghi"), USER], "Unexpected role 'user' after role 'tool'"),
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
            [USER, call_turn("abcdefghi", "bcdefghij"), result("abcdefghi")],
            "Not the same number of function calls and responses",
        ),
        (
            [USER, call_turn("abcdefghi"), result("abcdefghi"), result("bcdefghij")],
            "Not the same number of function calls and responses",
        ),
        ([USER, call_turn("abcdefghi"), USER], "Not the same number of function calls and responses"),
    ],
)
async def test_messages_out_of_order_are_3230(messages: list, message: str, ask_for_error):
    assert await ask_for_error(messages=messages) == (*ORDER, message)


@pytest.mark.parametrize("call_id", ["call_abc123", "short", "abcdefgh-"])
async def test_tool_call_ids_have_nine_letters_and_digits(call_id: str, ask_for_error):
    message = f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9."
    assert await ask_for_error(messages=[USER, call_turn(call_id), result(call_id)]) == (*CALL, message)
    assert await ask_for_error(messages=[USER, call_turn("abcdefghi"), result(call_id)]) == (*CALL, message)


async def test_a_conversation_that_keeps_the_rules_is_answered(chat):
    history = [SYSTEM, SYSTEM, USER, USER, call_turn("abcdefghi", "bcdefghij")]
    for messages in (
        [*history, result("abcdefghi"), result("bcdefghij")],
        [*history, result("abcdefghi"), result("bcdefghij"), SPOKEN, USER],
        [USER, {**SPOKEN, "prefix": True}],
    ):
        assert (await chat(messages=messages)).status_code == 200


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]])
async def test_an_assistant_message_needs_content_or_calls(content: object, ask_for_error):
    message = "Assistant message must have either content or tool_calls, but not none."
    assert await ask_for_error(messages=[USER, {"role": "assistant", "content": content}, USER]) == (
        *ASSISTANT,
        message,
    )


async def test_content_beside_calls_is_taken(chat):
    messages = [USER, {**call_turn("abcdefghi"), "content": "I will look."}, result("abcdefghi")]
    assert (await chat(messages=messages)).status_code == 200


@pytest.mark.parametrize("first", ["assistant", "tool"])
async def test_a_system_turn_does_not_come_late(first: str, ask_for_error):
    before = [SPOKEN] if first == "assistant" else [call_turn("abcdefghi"), result("abcdefghi")]
    message = f"Unexpected role 'system' after role '{first}'"
    assert await ask_for_error(messages=[USER, *before, SYSTEM, USER]) == (*ORDER, message)


async def test_an_assistant_message_thinks_once_before_it_speaks(chat, ask_for_error):
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    empty, text = ({"type": "text", "text": text} for text in ("", "Hi"))
    for content in ([thought, thought, text], [thought, empty, thought, text]):
        error = await ask_for_error(messages=[USER, {"role": "assistant", "content": content}, USER])
        assert error == (*ASSISTANT, "Expected at most one leading ThinkChunk, got 2")
    later = [thought, text, thought]
    assert (await chat(messages=[USER, {"role": "assistant", "content": later}, USER])).status_code == 200


async def test_a_result_says_whose_it_is(ask_for_error):
    answered = {"role": "tool", "content": "42"}
    error = await ask_for_error(messages=[USER, call_turn("abcdefghi"), answered])
    assert error == (*CALL, "Tool call id has to be defined.")


async def test_ids_are_unique_within_a_turn(ask_for_error):
    messages = [USER, call_turn("abcdefghi", "abcdefghi"), result("abcdefghi"), result("abcdefghi")]
    assert (await ask_for_error(messages=messages))[:3] == CALL


@pytest.mark.parametrize("turn", [USER, SYSTEM, SPOKEN])
async def test_only_tool_turns_have_a_name(turn: dict, chat):
    reply = await chat(messages=[{**turn, "name": "Ann"}, USER])
    problem = reply.json()["message"]["detail"][0]
    assert (reply.status_code, problem["type"]) == (422, "extra_forbidden")
    assert problem["loc"] == ["body", "messages", 0, turn["role"], "name"]


@pytest.mark.parametrize("member", ["id", "type", "index"])
async def test_nulls_inside_a_call_are_422(member: str, chat):
    message = call_turn("abcdefghi")
    message["tool_calls"][0][member] = None
    assert (await chat(messages=[USER, message, result("abcdefghi")])).status_code == 422
