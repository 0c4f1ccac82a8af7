"""The sandbox's control endpoints."""

import httpx2
import pytest

from mistral_mcp.sandbox import Sandbox


@pytest.fixture
async def control(sandbox: Sandbox):
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=sandbox), base_url="http://sandbox"
    ) as client:
        yield client


async def test_faults_can_be_planned_over_the_wire(control: httpx2.AsyncClient, chat):
    planned = await control.post("/sandbox/faults", json=[{"status": 500, "times": 2}, {"body": {"a": 1}}])
    assert planned.json() == {"planned": 2}
    assert [(await chat()).status_code for _ in range(4)] == [500, 500, 200, 200]


@pytest.mark.parametrize("fault", [{"stat": 500}, {"status": 500, "hang": True}, {"status": "bad"}])
async def test_a_fault_that_makes_no_sense_is_422(fault: dict, control: httpx2.AsyncClient, sandbox: Sandbox):
    assert (await control.post("/sandbox/faults", json=[fault])).status_code == 422
    assert len(sandbox.faults) == 0


async def test_what_arrived_is_shown_and_the_asking_is_not(control: httpx2.AsyncClient, chat):
    await chat("Hello")
    shown = (await control.get("/sandbox/requests")).json()
    assert (len(shown["requests"]), shown["active"], shown["peak"]) == (1, 0, 1)
    request = shown["requests"][0]
    assert (request["method"], request["path"], request["key"]) == ("POST", "/v1/chat/completions", "good-key")
    assert (request["status"], request["disconnected"]) == (200, False)
    assert '"Hello"' in request["body"]


async def test_reset_starts_afresh(control: httpx2.AsyncClient, chat):
    await control.post("/sandbox/faults", json=[{"status": 500}])
    await chat()
    await control.post("/sandbox/faults", json=[{"status": 500}])
    assert (await control.post("/sandbox/reset")).json() == {"planned": 0}
    assert (await control.get("/sandbox/requests")).json() == {"requests": [], "active": 0, "peak": 0}
    assert (await chat()).status_code == 200


async def test_other_paths_name_the_ones_there_are(control: httpx2.AsyncClient):
    reply = await control.get("/sandbox/nothing")
    assert reply.status_code == 404
    assert "/sandbox/faults" in reply.json()["detail"]
