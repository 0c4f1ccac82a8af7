"""Streams in rare shapes, from the models that only the sandbox has."""

import json
from itertools import chain

import httpx2
import pytest
from mistralai.client import Mistral

PROMPT = "Weather in Rome for 2 days"


@pytest.fixture
def stream_text(chat, weather: dict):
    """Ask for a stream, and give its text."""

    async def ask(model: str, **fields: object) -> str:
        reply = await chat(PROMPT, model=model, stream=True, **fields)
        assert reply.status_code == 200
        return reply.text

    return ask


def payloads(text: str) -> list[dict]:
    lines = [line.strip() for line in text.splitlines() if line.startswith("data:")]
    return [json.loads(line.removeprefix("data:")) for line in lines if "[DONE]" not in line]


def fragments(text: str) -> list[dict]:
    choices = chain.from_iterable(payload.get("choices", []) for payload in payloads(text))
    return list(chain.from_iterable(choice["delta"].get("tool_calls", []) for choice in choices))


async def test_a_call_comes_in_fragments(stream_text, weather: dict):
    first, *later = fragments(await stream_text("sandbox-fragments", tools=[weather]))
    assert first["function"] == {"name": "get_weather", "arguments": ""}
    assert {part["id"] for part in later} == {"null"}
    written = "".join(part["function"]["arguments"] for part in later)
    assert json.loads(written) == {"city": "Rome", "days": 2}


async def test_the_id_of_a_call_changes(stream_text, weather: dict):
    first, *later = fragments(await stream_text("sandbox-changing-ids", tools=[weather]))
    assert first["id"].startswith("chatcmpl-tool-")
    assert {(part["index"], part["id"], part["function"]["name"]) for part in later} == {(0, "toolcall0", "")}


async def test_arguments_come_as_an_object_and_without_an_index(stream_text, weather: dict):
    (call,) = fragments(await stream_text("sandbox-object-fragments", tools=[weather]))
    assert call["function"]["arguments"] == {"city": "Rome", "days": 2}
    assert "index" not in call


async def test_a_stream_has_everything_a_reader_must_take_in_its_stride(stream_text, chat):
    text = await stream_text("sandbox-odd-stream")
    assert text.startswith("\ufeff: a comment")
    assert "event: sandbox.unknown" in text
    assert "\r\n\r\n" in text
    assert text.endswith("data: [DONE]   \n\n\n  \n")
    *_, usage, empty = payloads(text)
    assert "choices" not in usage
    assert empty["choices"] == []


async def test_a_stream_can_be_an_error_without_data(stream_text):
    body = json.loads(await stream_text("sandbox-error-in-ok"))
    assert (body["object"], body["type"], body["code"]) == ("error", "invalid_function_call", "3280")
    assert "raw_status_code" not in body


async def test_a_conversation_streams_what_nobody_has_heard_of(api: httpx2.AsyncClient):
    asked = {"model": "sandbox-odd-stream", "inputs": "Hello", "stream": True}
    events = payloads((await api.post("/v1/conversations", json=asked)).text)
    assert events[1]["type"] == "conversation.response.requires_action"
    assert isinstance(events[2]["content"], list)


async def test_the_sdk_reads_fragments(sdk: Mistral, weather: dict):
    stream = await sdk.chat.stream_async(
        model="sandbox-fragments", messages=[{"role": "user", "content": PROMPT}], tools=[weather]
    )
    events = [event.data async for event in stream]
    assert events[-1].choices[0].finish_reason == "tool_calls"


async def test_a_conversation_streams_a_call_in_fragments(api: httpx2.AsyncClient, weather: dict):
    asked = {"model": "sandbox-fragments", "inputs": PROMPT, "stream": True, "tools": [weather]}
    events = payloads((await api.post("/v1/conversations", json=asked)).text)
    pieces = [event["arguments"] for event in events if event["type"] == "function.call.delta"]
    assert "{}" in pieces
    assert json.loads("".join(pieces)) == {"nested": {}, "city": "Rome", "days": 2}
