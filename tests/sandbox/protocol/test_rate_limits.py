"""Limits per minute, for each key and model."""

import httpx2
import pytest

from mistral_mcp.sandbox import Sandbox

REQUESTS = {"x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute"}
TOKENS = {"x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute"}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(requests_per_minute=2, now=clock)


def limits(reply: httpx2.Response) -> set[str]:
    return {header for header in reply.headers if header.startswith("x-ratelimit")}


async def test_the_request_after_the_last_allowed_one_is_429(chat):
    remaining = [(await chat()).headers["x-ratelimit-remaining-req-minute"] for _ in range(2)]
    refused = await chat()
    assert remaining == ["1", "0"]
    assert refused.status_code == 429
    assert refused.json() == {
        "object": "error",
        "message": "Rate limit exceeded",
        "type": "rate_limited",
        "param": None,
        "code": "1300",
        "raw_status_code": 429,
    }
    assert refused.headers["x-ratelimit-remaining-req-minute"] == "0"
    assert limits(refused) == REQUESTS
    assert "retry-after" not in refused.headers


async def test_a_minute_after_a_request_there_is_room_again(chat, clock: Clock):
    await chat()
    clock.time += 30
    await chat()
    clock.time += 29.9
    assert (await chat()).status_code == 429
    clock.time += 0.1
    assert (await chat()).status_code == 200
    assert (await chat()).status_code == 429


async def test_refused_requests_do_not_count(chat, clock: Clock):
    for _ in range(10):
        await chat()
    clock.time += 60
    assert (await chat()).headers["x-ratelimit-remaining-req-minute"] == "1"


async def test_each_key_and_each_model_has_its_own_limit(chat, api: httpx2.AsyncClient):
    for _ in range(3):
        await chat()
    assert (await chat(model="mistral-small-2603")).status_code == 429, "an alias is the same model"
    assert (await chat(model="codestral-latest")).status_code == 200
    api.headers["authorization"] = "Bearer another-key"
    assert (await chat()).status_code == 200


async def test_streams_count_too(chat):
    await chat(stream=True)
    await chat(stream=True)
    assert (await chat(stream=True)).status_code == 429


async def test_tokens_are_counted_by_what_replies_cost(clock: Clock):
    sandbox = Sandbox(tokens_per_minute=50, now=clock)
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=sandbox), base_url="http://s", headers={"authorization": "Bearer k"}
    ) as api:
        first = await api.post("/v1/chat/completions", json=body)
        cost = int(first.headers["x-ratelimit-tokens-query-cost"])
        assert cost == first.json()["usage"]["total_tokens"]
        assert first.headers["x-ratelimit-remaining-tokens-minute"] == str(50 - cost)
        await api.post("/v1/chat/completions", json=body)
        await api.post("/v1/chat/completions", json=body)
        refused = await api.post("/v1/chat/completions", json=body)
        assert refused.status_code == 429
        assert refused.headers["x-ratelimit-remaining-tokens-minute"] == "0"
        assert limits(refused) == REQUESTS | TOKENS
        clock.time += 60
        assert (await api.post("/v1/chat/completions", json=body)).status_code == 200


async def test_without_limits_the_headers_are_there_and_count_down():
    sandbox = Sandbox()
    body = {"model": "mistral-moderation-latest", "input": "x"}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=sandbox), base_url="http://s", headers={"authorization": "Bearer k"}
    ) as api:
        left = [
            int((await api.post("/v1/moderations", json=body)).headers["x-ratelimit-remaining-req-minute"])
            for _ in range(3)
        ]
    assert left == [left[0], left[0] - 1, left[0] - 2]
