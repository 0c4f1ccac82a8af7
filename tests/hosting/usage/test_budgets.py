"""Budgets: a call that would exceed one is refused, on every replica and with any number of concurrent calls."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx2
import pytest
from mcp_types import CallToolResult, TextContent

from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.settings import Settings
from tests.conftest import KEY, connect_to, serving, text_of
from tests.hosting.conftest import tool_call

PROMPT = {"prompt": "Hello", "max_tokens": 200}


@pytest.fixture
def hosting(settings: Settings, mistral_url: str) -> dict[str, Any]:
    return {**settings.model_dump(exclude_unset=True), "route": mistral_url, "max_concurrency": 64}


@pytest.fixture
async def replicas(hosting: dict[str, Any]) -> AsyncIterator[list[str]]:
    async with AsyncExitStack() as stack:
        apps = [create_app(Settings.model_validate(hosting)) for _ in range(2)]
        yield [await stack.enter_async_context(serving(app)) for app in apps]


async def connect(base: str, **budget: object) -> str:
    async with httpx2.AsyncClient(base_url=base) as http:
        made = await http.post("/connections", json={"api_key": KEY, **budget})
        assert made.status_code == 201, made.text
        return made.json()["token"]


async def usage_of(base: str, token: str) -> dict[str, Any]:
    async with httpx2.AsyncClient(base_url=base) as http:
        return (await http.get("/connections/current/usage", headers={"X-API-Key": token})).json()


async def call_often(bases: Sequence[str], token: str, callers: int, calls: int) -> list[dict[str, Any]]:
    """So many callers at once, each with so many calls, over all replicas in turn."""
    results: list[dict[str, Any]] = []

    async def call(number: int) -> None:
        base = bases[number % len(bases)]
        for _ in range(calls):
            answer = await http.post(f"{base}/c/{token}/mcp", **tool_call(("mistral_chat", PROMPT)))
            results.append(answer.json()["result"])

    limits = httpx2.Limits(max_connections=callers)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as http, anyio.create_task_group() as group:
        for number in range(callers):
            group.start_soon(call, number)
    return results


def successes(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [result for result in results if not result.get("isError")]


def texts_of(result: CallToolResult) -> list[str]:
    return [block.text for block in result.content if isinstance(block, TextContent)]


@pytest.mark.slow
async def test_a_day_has_as_many_calls_as_it_may_over_two_replicas(replicas: list[str], sandbox: Sandbox):
    token = await connect(replicas[0], budget_calls_per_day=30)
    sandbox.requests.clear()
    results = await call_often(replicas, token, callers=16, calls=3)

    refused = [result for result in results if result.get("isError")]
    assert (len(successes(results)), len(refused)) == (30, 18)
    assert len(sandbox.requests) == 30
    assert all(result["_meta"]["mistral-mcp/error"]["code"] == "budget_spent" for result in refused)


@pytest.mark.slow
async def test_dollars_are_not_spent_beyond_what_was_in_flight(replicas: list[str]):
    price = await _price_of_a_call(replicas[0])
    budget = round(price * 40, 10)
    token = await connect(replicas[0], budget_usd=budget)
    results = await call_often(replicas, token, callers=16, calls=5)
    usage = await usage_of(replicas[0], token)

    assert len(successes(results)) < len(results)
    assert 0.8 * budget < usage["month"]["cost_usd"] <= budget + 16 * price
    assert usage["budget"]["left_usd"] == max(round(budget - usage["month"]["cost_usd"], 10), 0)


async def _price_of_a_call(base: str) -> float:
    token = await connect(base)
    [result] = await call_often([base], token, callers=1, calls=1)
    return result["structuredContent"]["usage"]["cost_usd"]


async def test_a_refusal_says_what_is_left_when_it_begins_again_and_where_to_change_it(
    replicas: list[str], sandbox: Sandbox
):
    token = await connect(replicas[0], budget_usd=0, budget_calls_per_day=5)
    sandbox.requests.clear()
    async with connect_to(f"{replicas[0]}/c/{token}/mcp", {}) as client:
        result = await client.call_tool("mistral_chat", PROMPT)
        resets_at = (await usage_of(replicas[0], token))["budget"]["resets_at"]

    assert result.is_error
    assert text_of(result).count(". ") == 0
    assert all(part in text_of(result) for part in ("Nothing is left", "$0.00", resets_at, "/manage"))
    assert not sandbox.requests
    assert (await usage_of(replicas[0], token))["month"]["calls"] == 0


async def test_a_raised_budget_lets_calls_through_again(replicas: list[str]):
    token = await connect(replicas[0], budget_calls_per_day=0)
    async with connect_to(f"{replicas[0]}/c/{token}/mcp", {}) as client, httpx2.AsyncClient() as http:
        refused = await client.call_tool("mistral_chat", PROMPT)
        url, headers = f"{replicas[0]}/connections/current", {"X-API-Key": token}
        await http.patch(url, headers=headers, json={"budget_calls_per_day": 1})
        allowed = await client.call_tool("mistral_chat", PROMPT)

    assert (refused.is_error, allowed.is_error) == (True, False)


async def test_near_the_limit_one_result_says_so(replicas: list[str]):
    token = await connect(replicas[0], budget_calls_per_day=10)
    notes: list[str] = []
    for base in replicas:
        async with connect_to(f"{base}/c/{token}/mcp", {}) as client:
            for _ in range(5):
                _, *more = texts_of(await client.call_tool("mistral_chat", PROMPT))
                notes += more

    assert len(notes) == 1
    assert "1 is left of this connection's 10 calls for today" in notes[0]


@pytest.mark.parametrize("own", [{}, {"budget_calls_per_day": 100}])
async def test_the_operators_ceiling_holds_for_every_connection_and_key(
    hosting: dict[str, Any], own: dict[str, object]
):
    settings = Settings.model_validate({**hosting, "budget_calls_per_day": 1})
    async with serving(create_app(settings)) as base:
        token = await connect(base, **own)
        doors = [(f"{base}/c/{token}/mcp", {}), (f"{base}/mcp", {"X-Mistral-Api-Key": KEY})]
        for url, headers in doors:
            async with connect_to(url, headers) as client:
                first = await client.call_tool("mistral_chat", PROMPT)
                second = await client.call_tool("mistral_chat", PROMPT)
            assert (first.is_error, second.is_error) == (False, True)
            assert "operator" in text_of(second)


@pytest.mark.slow
async def test_what_a_replica_does_not_use_goes_back(hosting: dict[str, Any]):
    settings = Settings.model_validate(hosting)
    async with serving(create_app(settings)) as one:
        token = await connect(one, budget_calls_per_day=16)
        async with serving(create_app(settings)) as two, connect_to(f"{two}/c/{token}/mcp", {}) as client:
            await client.call_tool("mistral_chat", PROMPT)  # takes two, uses one
        results = await call_often([one], token, callers=1, calls=16)

    assert len(successes(results)) == 15
