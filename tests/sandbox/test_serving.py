"""An app on a real socket."""

import socket
import time

import anyio
import httpx2
import pytest

from mistral_mcp.sandbox import Fault, Sandbox, run, serve_app
from mistral_mcp.sandbox.serving import GRACE

KEY = {"authorization": "Bearer good-key"}


async def test_any_asgi_app_can_listen_and_its_lifespan_runs():
    seen: list[str] = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            for _ in range(2):
                event = (await receive())["type"]
                seen.append(event)
                await send({"type": f"{event}.complete"})
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serve_app(app) as url, httpx2.AsyncClient() as client:
        assert (await client.get(url)).status_code == 204
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


async def test_closing_with_idle_connections_takes_no_time(sandbox: Sandbox):
    async with httpx2.AsyncClient(headers=KEY) as client:
        async with serve_app(sandbox) as url:
            await client.get(f"{url}/v1/models")
            leaving = time.monotonic()
        assert time.monotonic() - leaving < GRACE


async def test_closing_does_not_wait_for_a_hung_request(sandbox: Sandbox):
    sandbox.faults.append(Fault(hang=True))
    failures: list[Exception] = []

    async def ask(url: str) -> None:
        async with httpx2.AsyncClient(headers=KEY) as client:
            try:
                await client.get(f"{url}/v1/models")
            except httpx2.TransportError as failure:
                failures.append(failure)

    async with anyio.create_task_group() as tasks:
        async with serve_app(sandbox) as url:
            tasks.start_soon(ask, url)
            await sandbox.wait_for_request()
            leaving = time.monotonic()
        assert time.monotonic() - leaving < 2 * GRACE
    assert len(failures) == 1
    assert sandbox.active == 0


async def test_a_request_in_flight_may_still_finish_while_the_server_closes(sandbox: Sandbox):
    sandbox.faults.append(Fault(delay=GRACE / 4))
    statuses: list[int] = []

    async def ask(url: str) -> None:
        async with httpx2.AsyncClient(headers=KEY) as client:
            statuses.append((await client.get(f"{url}/v1/models")).status_code)

    async with anyio.create_task_group() as tasks, serve_app(sandbox) as url:
        tasks.start_soon(ask, url)
        await sandbox.wait_for_request()
    assert statuses == [200]


async def test_replies_do_not_wait_for_acknowledgements(sandbox: Sandbox):
    async with serve_app(sandbox) as url, httpx2.AsyncClient(headers=KEY, base_url=url) as client:
        started = time.monotonic()
        for _ in range(25):
            await client.get("/v1/models/mistral-embed")
        assert time.monotonic() - started < 0.5, "25 replies of 40 ms each: Nagle's algorithm is on"


async def test_ipv6_is_written_in_brackets(sandbox: Sandbox):
    try:
        async with serve_app(sandbox, host="::1") as url:
            assert url.startswith("http://[::1]:")
    except OSError:
        pytest.skip("no IPv6 here")


def test_a_port_that_is_taken_is_an_oserror(sandbox: Sandbox):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        run(sandbox, port=taken.getsockname()[1])
