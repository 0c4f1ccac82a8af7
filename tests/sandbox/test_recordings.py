"""Recorded requests, replayed: the answer has to have the shape of the recorded one."""

import json
from typing import Any

import httpx2
import pytest

from tests.conftest import RECORDED

NAMES = (
    "chat-json-schema",
    "chat-parallel-tool-calls",
    "chat-plain",
    "chat-stream-padded",
    "chat-stream-thinking",
    "chat-thinking",
    "embeddings",
    "invalid-key",
)
CERTAIN_LENGTH = ("choices", "tool_calls", "data", "embedding")
OF_THE_EDGE = {"mistral-correlation-id", "x-kong-request-id", "content-length"}


def shape(value: Any, name: str = "") -> Any:
    """Keys in their order, and types; lists by their members, and by their length where it is no accident."""
    if isinstance(value, dict):
        return {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        members = [shape(item) for item in value]
        if name in CERTAIN_LENGTH[:2]:
            return members
        return [len(value) if name in CERTAIN_LENGTH else 0, members[:1]]
    return type(value).__name__


def shapes(body: str) -> Any:
    """The shape of a body; of a stream, the distinct shapes of its events in the order in which they first came."""
    if not body.startswith("data:"):
        return shape(json.loads(body))
    events = [line.removeprefix("data: ") for line in body.split("\n\n") if line]
    assert events.pop() == "[DONE]"
    return list(dict.fromkeys(json.dumps(shape(json.loads(event))) for event in events))


async def replay(name: str, api: httpx2.AsyncClient) -> tuple[dict[str, Any], httpx2.Response]:
    recording = json.loads((RECORDED / f"{name}.json").read_text())
    key = "invalid" if recording["status"] == 401 else "good-key"
    reply = await api.request(
        recording["method"],
        recording["path"],
        json=recording["request"],
        headers={"authorization": f"Bearer {key}"},
    )
    return recording, reply


@pytest.mark.parametrize("name", NAMES)
async def test_status_and_body_have_the_recorded_shape(name: str, api: httpx2.AsyncClient):
    recording, reply = await replay(name, api)
    assert reply.status_code == recording["status"]
    if name.startswith("chat-stream"):
        # Which deltas a stream has depends on what is said; each of ours has to be one that was seen.
        assert set(shapes(reply.text)) <= set(shapes(recording["body"]))
        assert shapes(reply.text)[0] == shapes(recording["body"])[0]
        assert shapes(reply.text)[-1] == shapes(recording["body"])[-1]
    else:
        assert shapes(reply.text) == shapes(recording["body"])


@pytest.mark.parametrize("name", NAMES)
async def test_headers_are_the_recorded_ones(name: str, api: httpx2.AsyncClient):
    recording, reply = await replay(name, api)
    expected = {header for header in recording["headers"] if "latency" not in header} | OF_THE_EDGE
    assert set(reply.headers) | OF_THE_EDGE == expected
    assert reply.headers["content-type"] == recording["headers"]["content-type"]


async def test_the_401_is_the_recorded_one_to_the_byte(api: httpx2.AsyncClient):
    recording, reply = await replay("invalid-key", api)
    assert reply.text == recording["body"]


async def test_the_recorded_prompts_lead_to_the_recorded_calls_and_json(api: httpx2.AsyncClient):
    _, person = await replay("chat-json-schema", api)
    assert json.loads(person.json()["choices"][0]["message"]["content"])["name"] == "Bob"
    _, calls = await replay("chat-parallel-tool-calls", api)
    functions = [call["function"] for call in calls.json()["choices"][0]["message"]["tool_calls"]]
    assert functions == [
        {"name": "weather", "arguments": '{"latitude": "52.5200", "longitude": "13.4050"}'},
        {"name": "best_language_to_learn", "arguments": "{}"},
    ]
