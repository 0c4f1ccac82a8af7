"""The events of a stream."""

import json
from itertools import pairwise

import pytest


@pytest.fixture
def stream_events(chat):
    async def ask(prompt: str = "Hello", **fields: object) -> list[dict]:
        reply = await chat(prompt, stream=True, **fields)
        lines = reply.text.split("\n\n")
        assert lines[-2:] == ["data: [DONE]", ""]
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]

    return ask


def deltas(events: list[dict]) -> list[dict]:
    return [event["choices"][0]["delta"] for event in events]


async def test_the_role_comes_first_and_the_usage_last(stream_events):
    events = await stream_events()
    assert deltas(events)[0] == {"role": "assistant", "content": ""}
    assert [("usage" in event, event["choices"][0]["finish_reason"]) for event in events[-2:]] == [
        (False, None),
        (True, "stop"),
    ]


async def test_all_but_the_first_event_are_padded_and_always_in_the_same_way(stream_events):
    first, second = [await stream_events("Write a list") for _ in range(2)]
    paddings = [event.get("p") for event in first]
    assert paddings[0] is None
    assert all("abcdefghijklmnopqrstuvwxyz0123456789".startswith(padding) for padding in paddings[1:])
    assert len(set(paddings)) > 5
    assert paddings == [event.get("p") for event in second]


async def test_a_call_comes_whole_with_the_finish_reason(stream_events, weather: dict):
    first, last = await stream_events("Weather in Oslo for 2 days", tools=[weather])
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    function = last["choices"][0]["delta"]["tool_calls"][0]["function"]
    assert json.loads(function["arguments"]) == {"city": "Oslo", "days": 2}
    assert "usage" in last
    assert "usage" not in first


async def test_thoughts_come_as_lists_and_the_text_after_them_as_strings(stream_events):
    kinds = [type(delta["content"]) for delta in deltas(await stream_events(reasoning_effort="high"))[1:]]
    assert set(kinds) == {list, str}
    assert sum(one is not other for one, other in pairwise(kinds)) == 1


async def test_several_choices_share_one_usage(stream_events):
    events = await stream_events(n=2)
    assert {event["choices"][0]["index"] for event in events} == {0, 1}
    assert sum("usage" in event for event in events) == 1


async def test_an_answer_without_words_still_finishes(stream_events):
    events = await stream_events(max_tokens=0)
    assert events[-1]["choices"][0] == {"index": 0, "delta": {"content": ""}, "finish_reason": "length"}


async def test_a_stream_has_no_rate_limit_headers(chat):
    reply = await chat(stream=True)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert not [header for header in reply.headers if header.startswith("x-ratelimit")]
