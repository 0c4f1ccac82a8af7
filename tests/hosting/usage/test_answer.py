"""The usage answer over HTTP, and budgets as a connection's settings."""

import json
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp_types import TextResourceContents

from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox
from mistral_mcp.settings import Settings
from tests.conftest import KEY, connect_to, serving

MEMBERS = {
    "calls",
    "errors",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "pages",
    "seconds",
    "characters",
    "cost_usd",
}
NEW_KEY = "nEwKeY0123456789abcdefghijklmn12"


@pytest.fixture
def hosting(settings: Settings, mistral_url: str) -> dict[str, Any]:
    return {**settings.model_dump(exclude_unset=True), "route": mistral_url}


async def connect(http: httpx2.AsyncClient, **terms: object) -> dict[str, Any]:
    made = await http.post("/connections", json={"api_key": KEY, **terms})
    assert made.status_code == 201, made.text
    return made.json()


def bearer(made: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['token']}"}


async def usage_of(http: httpx2.AsyncClient, made: dict[str, Any]) -> dict[str, Any]:
    answer = await http.get("/connections/current/usage", headers=bearer(made))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def read_resource(client: Client) -> Any:
    [content] = (await client.read_resource("mistral://usage")).contents
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)


async def test_it_is_the_same_over_http_and_as_a_resource(http: httpx2.AsyncClient, base: str):
    made, other = await connect(http), await connect(http)
    async with connect_to(made["url"], {}) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hello"})
        await client.call_tool("mistral_chat", {"prompt": "Hello", "model": "unknown-model"})
        resource = await read_resource(client)
    answer = await usage_of(http, made)

    used = result.structured_content["usage"]
    assert answer == resource
    assert answer.keys() == {"today", "month", "budget", "by_day", "by_tool", "by_model"}
    assert answer["today"].keys() == answer["month"].keys() == MEMBERS
    assert [row.keys() - MEMBERS for row in answer["by_day"]] == [{"day"}]
    assert [row.keys() - MEMBERS for row in answer["by_tool"]] == [{"tool"}]
    assert [row.keys() - MEMBERS for row in answer["by_model"]] == [{"model"}] * 2
    assert (answer["today"]["calls"], answer["today"]["errors"]) == (2, 1)
    assert answer["today"]["total_tokens"] == used["total_tokens"]
    assert answer["today"]["cost_usd"] == used["cost_usd"]
    assert (await usage_of(http, other))["month"]["calls"] == 0


async def test_another_replica_and_a_restart_know_it(hosting: dict[str, Any]):
    settings = Settings.model_validate(hosting)
    async with serving(create_app(settings)) as one, serving(create_app(settings)) as two:
        async with httpx2.AsyncClient(base_url=one) as http:
            made = await connect(http)
        for base in (one, two):
            async with connect_to(f"{base}/c/{made['token']}/mcp", {}) as client:
                await client.call_tool("mistral_chat", {"prompt": "Hello"})
                assert (await read_resource(client))["month"]["calls"]
    async with serving(create_app(settings)) as three, httpx2.AsyncClient(base_url=three) as http:
        assert (await usage_of(http, made))["month"]["calls"] == 2


async def test_a_callers_own_key_has_its_own_usage_once_mistral_took_it(base: str, sandbox: Sandbox):
    async with connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": "invalid-key-0123456789"}) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
        assert (await read_resource(client))["month"]["calls"] == 0
    async with connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": NEW_KEY}) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
        sandbox.faults.append(Fault(status=400))
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
        assert (await read_resource(client))["month"]["calls"] == 2


async def test_budgets_are_set_changed_and_taken_back(http: httpx2.AsyncClient):
    made = await connect(http)
    patched = await http.patch(
        "/connections/current", headers=bearer(made), json={"budget_usd": 5, "budget_calls_per_day": 100}
    )
    budget = (await usage_of(http, made))["budget"]
    await http.patch("/connections/current", headers=bearer(made), json={"label": "mine"})
    kept = (await http.get("/connections/current", headers=bearer(made))).json()
    taken = await http.patch(
        "/connections/current", headers=bearer(made), json={"budget_usd": None, "budget_calls_per_day": None}
    )

    assert patched.status_code == 200
    assert (patched.json()["budget_usd"], patched.json()["budget_calls_per_day"]) == (5, 100)
    assert (budget["budget_usd"], budget["left_usd"], budget["left_calls"]) == (5, 5, 100)
    assert budget["resets_at"].endswith("T00:00:00Z")
    assert (kept["budget_usd"], kept["label"]) == (5, "mine")
    assert taken.json()["budget_usd"] is None
    assert (await usage_of(http, made))["budget"] is None


@pytest.mark.parametrize("wrong", [{"budget_usd": -1}, {"budget_usd": 1e9}, {"budget_calls_per_day": 1.5}])
async def test_a_budget_that_cannot_be_is_refused(http: httpx2.AsyncClient, wrong: dict[str, object]):
    made = await connect(http)
    patched = await http.patch("/connections/current", headers=bearer(made), json=wrong)

    assert patched.status_code == 422
    assert next(iter(wrong)) in patched.json()["error"]["message"]


@pytest.mark.parametrize("token", ["", "mmcp_unknown"])
async def test_nobody_else_reads_it(http: httpx2.AsyncClient, token: str):
    assert (await http.get("/connections/current/usage", headers={"X-API-Key": token})).status_code == 401
