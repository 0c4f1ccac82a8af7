"""Conversations as callers keep them, and as Mistral takes them. Histories are those of public bug reports."""

import re
from typing import Any

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import text_of

USER = {"role": "user", "content": "What is the weather?"}
NOW = {"role": "user", "content": "And now?"}
SYSTEM = {"role": "system", "content": "Answer in French."}
ANSWER = {"role": "assistant", "content": "Sunny."}


def call_turn(*ids: str | None) -> dict[str, Any]:
    calls = [{"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call_id in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(call_id: str | None = "abcdefgh1", content: str | None = "20 degrees") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "name": "f", "content": content}


def thinking_chunk(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def order_fault(message: str, code: str = "3230") -> Fault:
    kind = "invalid_request_message_order"
    return Fault(
        status=400, body={"object": "error", "message": message, "type": kind, "param": None, "code": code}
    )


async def send_turns(
    client: Client, sandbox: Sandbox, *messages: dict[str, Any], **more: object
) -> list[dict[str, Any]]:
    """The turns that arrive, whatever the sandbox makes of them."""
    sandbox.faults.append(Fault(status=200, body={"model": "m", "choices": [{"message": {"content": "Hi"}}]}))
    answer = await client.call_tool("mistral_chat", {"messages": list(messages), **more})
    assert not answer.is_error, text_of(answer)
    turns: list[dict[str, Any]] = sandbox.requests[-1].json["messages"]
    return turns


@pytest.mark.parametrize(
    "history",
    [
        [USER],
        [SYSTEM, SYSTEM, USER],
        [USER, ANSWER, NOW],
        [USER, NOW],
        [SYSTEM, USER, call_turn("abcdefgh1"), result(), NOW],
        [USER, call_turn("abcdefgh1", "abcdefgh2"), result("abcdefgh2"), result("abcdefgh1")],
    ],
)
async def test_what_mistral_may_take_goes_out_as_it_is(
    client: Client, sandbox: Sandbox, history: list[dict[str, Any]]
) -> None:
    assert await send_turns(client, sandbox, *history) == history


async def test_system_turns_after_an_answer_go_to_the_front(client: Client, sandbox: Sandbox) -> None:
    late = {"role": "system", "content": "Be kind."}
    turns = await send_turns(
        client, sandbox, USER, call_turn("abcdefgh1"), result(), SYSTEM, ANSWER, late, NOW, system="First."
    )

    assert [turn["content"] for turn in turns[:4]] == ["First.", "Answer in French.", "Be kind.", USER["content"]]
    assert [turn["role"] for turn in turns[3:]] == ["user", "assistant", "tool", "assistant", "user"]


async def test_a_developers_turn_is_a_system_turn(client: Client, sandbox: Sandbox) -> None:
    assert await send_turns(client, sandbox, {**SYSTEM, "role": "developer"}, USER) == [SYSTEM, USER]


@pytest.mark.parametrize(
    "content", ["", None, [], [{"type": "text", "text": ""}], [{"text": ""}, {"type": "text", "text": None}]]
)
async def test_an_assistants_turn_without_content_or_calls_is_left_out(
    client: Client, sandbox: Sandbox, content: object
) -> None:
    assert await send_turns(client, sandbox, USER, {"role": "assistant", "content": content}, NOW) == [USER, NOW]


@pytest.mark.parametrize(
    "extra", [{"name": "bob"}, {"prefix": True}, {"prefix": False}, {"tool_call_id": "x"}, {"tool_calls": []}]
)
async def test_members_that_a_users_turn_does_not_take_are_left_out(
    client: Client, sandbox: Sandbox, extra: dict[str, Any]
) -> None:
    assert await send_turns(client, sandbox, {**USER, **extra}) == [USER]


async def test_an_assistants_name_is_left_out_and_its_prefix_kept(client: Client, sandbox: Sandbox) -> None:
    begun = {"role": "assistant", "content": "Bonjour", "prefix": True}
    assert await send_turns(client, sandbox, USER, {**begun, "name": "alice"}) == [USER, begun]


async def test_thinking_at_the_start_of_a_turn_is_put_into_one_chunk(client: Client, sandbox: Sandbox) -> None:
    words = {"type": "text", "text": "Sunny."}
    content = [thinking_chunk("First, "), {"type": "text", "text": ""}, thinking_chunk("then."), words]
    turns = await send_turns(client, sandbox, USER, {"role": "assistant", "content": content}, NOW)

    assert turns[1]["content"] == [{**thinking_chunk("First, then."), "closed": True}, words]


async def test_thinking_of_one_chunk_goes_out_as_it_is(client: Client, sandbox: Sandbox) -> None:
    turn = {
        "role": "assistant",
        "content": [thinking_chunk("Well."), {"type": "text", "text": "Sunny."}, thinking_chunk("Done.")],
    }
    assert await send_turns(client, sandbox, USER, turn, NOW) == [USER, turn, NOW]


async def test_foreign_call_ids_have_nine_characters_and_stay_paired(client: Client, sandbox: Sandbox) -> None:
    foreign = ["call_0123456789abcdef", "chatcmpl-tool-b6f76882211cffb5"]
    history = [USER, call_turn(*foreign), *map(result, reversed(foreign))]
    turns = await send_turns(client, sandbox, *history)

    ids = [call["id"] for call in turns[1]["tool_calls"]]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", call_id) for call_id in ids)
    assert [turn["tool_call_id"] for turn in turns[2:]] == ids[::-1]
    assert await send_turns(client, sandbox, *history) == turns


async def test_results_without_an_id_answer_the_calls_in_their_order(client: Client, sandbox: Sandbox) -> None:
    turns = await send_turns(client, sandbox, USER, call_turn("abcdefgh1", None), result(None), result(""))

    ids = [call["id"] for call in turns[1]["tool_calls"]]
    assert ids[0] == "abcdefgh1"
    assert [turn["tool_call_id"] for turn in turns[2:]] == ids


async def test_calls_of_one_turn_have_ids_of_their_own(client: Client, sandbox: Sandbox) -> None:
    turns = await send_turns(client, sandbox, USER, call_turn("abcdefgh1", "abcdefgh1"), result(), NOW)
    assert len({call["id"] for call in turns[1]["tool_calls"]}) == 2


async def test_members_of_calls_that_are_null_are_left_out(client: Client, sandbox: Sandbox) -> None:
    turn = call_turn("abcdefgh1")
    turn["tool_calls"][0] |= {"type": None, "index": None}
    turns = await send_turns(client, sandbox, USER, turn, result(content=None), NOW)

    assert turns[1]["tool_calls"] == [{"id": "abcdefgh1", "function": {"name": "f", "arguments": "{}"}}]
    assert turns[2]["content"] == ""


async def test_a_turn_is_put_between_a_tools_and_a_users_after_mistral_refused_them(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.faults.append(order_fault("Unexpected role 'user' after role 'tool'"))
    turns = await send_turns(client, sandbox, USER, call_turn("abcdefgh1"), result(), prompt="And now?")

    roles = [[turn["role"] for turn in request.json["messages"]] for request in sandbox.requests]
    assert roles == [
        ["user", "assistant", "tool", "user"],
        ["user", "assistant", "tool", "assistant", "user"],
    ]
    assert turns[-1] == NOW


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Unexpected role 'assistant' after role 'user'", "3230"),
        ("Unexpected role 'user' after role 'tool'", "3051"),
    ],
)
async def test_another_refusal_is_passed_on(client: Client, sandbox: Sandbox, message: str, code: str) -> None:
    sandbox.faults.append(order_fault(message, code))
    answer = await client.call_tool("mistral_chat", {"messages": [USER, call_turn("abcdefgh1"), result(), NOW]})

    assert answer.is_error
    assert message in text_of(answer)
    assert len(sandbox.requests) == 1
