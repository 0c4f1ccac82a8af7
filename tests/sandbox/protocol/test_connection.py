"""Connections that are closed, interrupted, or left hanging."""

import anyio
import httpx2
import pytest

from mistral_mcp.sandbox import Fault, Sandbox, serve_app

ASKED = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Write a list"}]}
STREAMED = {**ASKED, "stream": True}
KEY = {"authorization": "Bearer good-key"}


@pytest.fixture
async def base_url(sandbox: Sandbox):
    async with serve_app(sandbox) as url:
        yield url


@pytest.fixture
async def client(base_url: str):
    async with httpx2.AsyncClient(base_url=base_url, headers=KEY) as client:
        yield client


async def test_a_dropped_request_gets_no_byte_of_an_answer(sandbox: Sandbox, client: httpx2.AsyncClient):
    sandbox.faults.append(Fault(drop="before_headers"))
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        await client.post("/v1/chat/completions", json=ASKED)
    assert not sandbox.requests[0].disconnected


async def test_a_body_can_break_off_in_the_middle(sandbox: Sandbox, client: httpx2.AsyncClient):
    sandbox.faults.append(Fault(drop="mid_body"))
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete"):
        await client.post("/v1/chat/completions", json=ASKED)


async def test_a_stream_can_be_cut_after_some_chunks(sandbox: Sandbox, client: httpx2.AsyncClient):
    sandbox.faults.append(Fault(cut_after=3))
    lines: list[str] = []

    async def read() -> None:
        async with client.stream("POST", "/v1/chat/completions", json=STREAMED) as reply:
            async for line in reply.aiter_lines():
                lines.append(line)  # noqa: PERF401 - a comprehension would lose what came before the cut

    with pytest.raises(httpx2.RemoteProtocolError):
        await read()
    assert len([line for line in lines if line.startswith("data:")]) == 3


async def test_the_next_request_after_a_cut_is_answered(sandbox: Sandbox, client: httpx2.AsyncClient):
    sandbox.faults.append(Fault(drop="before_headers"))
    with pytest.raises(httpx2.RemoteProtocolError):
        await client.get("/v1/models")
    assert (await client.get("/v1/models")).status_code == 200


async def test_a_hanging_request_ends_when_its_client_disconnects(sandbox: Sandbox, client: httpx2.AsyncClient):
    sandbox.faults.append(Fault(hang=True))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.get, "/v1/models")
        received = await sandbox.wait_for_request()
        assert sandbox.active == 1
        tasks.cancel_scope.cancel()
    with anyio.fail_after(1):
        await received.wait_for_disconnect()
    assert received.disconnected


async def test_closing_a_stream_half_way_is_noticed():
    slow = Sandbox(chunk_delay=0.01)
    async with serve_app(slow) as url, httpx2.AsyncClient(headers=KEY) as client:
        async with client.stream("POST", f"{url}/v1/chat/completions", json=STREAMED) as reply:
            async for _ in reply.aiter_lines():
                break
        with anyio.fail_after(1):
            await slow.requests[0].wait_for_disconnect()
    assert slow.active == 0


async def test_an_answered_request_is_not_recorded_as_disconnected(sandbox: Sandbox, client: httpx2.AsyncClient):
    await client.post("/v1/chat/completions", json=STREAMED)
    await client.aclose()
    received = sandbox.requests[0]
    assert not received.disconnected
    assert received.finished is not None
    assert received.finished >= received.started


async def test_a_reset_disconnects_in_process_too(sandbox: Sandbox, api: httpx2.AsyncClient):
    sandbox.faults.append(Fault(drop="before_headers"))
    with pytest.raises(ConnectionResetError):
        await api.get("/v1/models")


async def test_cancelling_in_process_is_disconnecting(sandbox: Sandbox, api: httpx2.AsyncClient):
    sandbox.faults.append(Fault(hang=True))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.get, "/v1/models")
        received = await sandbox.wait_for_request()
        tasks.cancel_scope.cancel()
    assert received.disconnected


async def test_active_and_peak_count_what_is_in_flight(sandbox: Sandbox, client: httpx2.AsyncClient):
    sandbox.faults.append(Fault(hang=True, times=3))
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(client.get, "/v1/models")
        await sandbox.wait_for_request(3)
        assert (sandbox.active, sandbox.peak) == (3, 3)
        tasks.cancel_scope.cancel()
    for received in sandbox.requests:
        await received.wait_for_disconnect()
    await client.get("/v1/models")
    assert (sandbox.active, sandbox.peak) == (0, 3)


async def test_latency_passes_before_the_reply():
    slow = Sandbox(latency=0.05)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=slow), base_url="http://s", headers=KEY
    ) as api:
        await api.get("/v1/models")
    assert slow.requests[0].finished - slow.requests[0].started >= 0.05
