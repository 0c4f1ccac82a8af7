"""A connection that ends cancels its running calls: here, on the other replica, streams and hanging calls alike."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, serving
from tests.hosting.conftest import tool_call

CHAT = ("mistral_chat", {"prompt": "Write a poem"})
ERAS = ["2026-07-28", "2025-11-25"]


@pytest.fixture
async def replicas(mistral_url: str, tmp_path: Path) -> AsyncIterator[list[httpx2.AsyncClient]]:
    settings = Settings(route=mistral_url, data_dir=tmp_path / "data")
    async with (
        serving(create_app(settings)) as one,
        serving(create_app(settings)) as other,
        httpx2.AsyncClient(base_url=one, timeout=60) as at_one,
        httpx2.AsyncClient(base_url=other, timeout=60) as at_other,
    ):
        yield [at_one, at_other]


@pytest.mark.parametrize("end", ["revoke", "rotate"])
@pytest.mark.parametrize("era", ERAS)
async def test_a_hanging_call_ends_on_both_replicas_and_the_request_to_mistral_with_it(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox, era: str, end: str
) -> None:
    made = (await replicas[0].post("/connections", json={"api_key": KEY})).json()
    sandbox.reset()
    sandbox.faults.append(Fault(hang=True, times=None))
    answers: list[httpx2.Response] = []

    async def call(replica: httpx2.AsyncClient) -> None:
        answers.append(await replica.post(f"/c/{made['token']}/mcp", **tool_call(CHAT, era)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for replica in replicas:
                group.start_soon(call, replica)
            await sandbox.wait_for_request(2)
            headers = {"X-API-Key": made["token"]}
            ended_at = anyio.current_time()
            if end == "revoke":
                await replicas[0].delete("/connections/current", headers=headers)
            else:
                await replicas[0].post("/connections/current/rotate", headers=headers)
            for request in list(sandbox.requests):
                await request.wait_for_disconnect()
        assert anyio.current_time() - ended_at < 5

    for answer in answers:
        if era == "2025-11-25":  # its answers are streams from the start
            assert '"result"' not in answer.text
        else:
            assert answer.status_code == 410
            assert "ended while the call ran" in answer.json()["error"]["message"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_stream_ends_too(replicas: list[httpx2.AsyncClient], sandbox: Sandbox, era: str) -> None:
    made = (await replicas[0].post("/connections", json={"api_key": KEY})).json()
    sandbox.faults.append(Fault(status=429, headers={"retry-after": "3"}, times=None, match="/v1/chat"))
    with anyio.fail_after(20):
        async with replicas[1].stream(
            "POST", f"/c/{made['token']}/mcp", **tool_call(CHAT, era, listens=True)
        ) as response:
            lines = response.aiter_lines()
            async for line in lines:
                if "notifications/progress" in line:
                    break
            ended_at = anyio.current_time()
            await replicas[0].delete("/connections/current", headers={"X-API-Key": made["token"]})
            rest = [line async for line in lines]
        assert anyio.current_time() - ended_at < 5

    assert not any('"result"' in line for line in rest)


async def test_other_connections_are_not_disturbed(replicas: list[httpx2.AsyncClient], sandbox: Sandbox) -> None:
    ends, stays = [(await replicas[0].post("/connections", json={"api_key": KEY})).json() for _ in range(2)]
    sandbox.reset()
    sandbox.faults.append(Fault(delay=4, times=2))
    statuses: dict[str, int] = {}

    async def call(token: str) -> None:
        response = await replicas[0].post(f"/c/{token}/mcp", **tool_call(CHAT))
        statuses[token] = response.status_code

    async with anyio.create_task_group() as group:
        for made in (ends, stays):
            group.start_soon(call, made["token"])
        await sandbox.wait_for_request(2)
        await replicas[0].delete("/connections/current", headers={"X-API-Key": ends["token"]})

    assert statuses == {ends["token"]: 410, stays["token"]: 200}
