"""Whoever gives up a call stops paying for it: the request to Mistral ends within a second, and nothing is left behind.

MCP's cancel on stdio, a closed response on HTTP, in both eras.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp_types import CallToolResult

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from tests.conftest import KEY, TRANSPORTS, connect_over_http, connect_to, serving, text_of

PLACES = 3
PROMPT = {"prompt": "Write a poem"}

Report = Callable[..., Awaitable[None]]
Call = Callable[[Report | None], Awaitable[object]]
"""Calls mistral_chat, listening to progress or not, until it is cancelled."""


async def ignore_report(*_: object) -> None:
    """A listener that minds nothing it is told."""


def request_of(era: str, *, listens: bool) -> dict[str, Any]:
    """A tools/call as httpx2 is to send it."""
    meta: dict[str, Any] = {"progressToken": 7} if listens else {}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": era,
        "x-mistral-api-key": KEY,
    }
    if era == "2026-07-28":
        prefix = "io.modelcontextprotocol/"
        meta |= {f"{prefix}protocolVersion": era, f"{prefix}clientCapabilities": {}}
        headers |= {"mcp-method": "tools/call", "mcp-name": "mistral_chat"}
    params = {"name": "mistral_chat", "arguments": PROMPT, "_meta": meta}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}


@asynccontextmanager
async def call_by_sdk(transport: str, url: str, **settings: Any) -> AsyncGenerator[tuple[Call, Client]]:
    async with TRANSPORTS[transport](url, **settings) as client:

        async def call(report: Report | None) -> object:
            return await client.call_tool("mistral_chat", PROMPT, progress_callback=report)

        yield call, client


@asynccontextmanager
async def call_by_hanging_up(transport: str, url: str, **settings: Any) -> AsyncGenerator[tuple[Call, Client]]:
    """A client that knows no cancel and only closes its connection."""
    era = transport.removeprefix("hung-up-")
    app = create_app(Settings.model_validate({"route": url, **settings}))
    async with serving(app) as base, connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": KEY}) as client:

        async def call(report: Report | None) -> object:
            asked = request_of(era, listens=report is not None)
            async with (
                httpx2.AsyncClient(timeout=60) as http,
                http.stream("POST", f"{base}/mcp", **asked) as response,
            ):
                async for line in response.aiter_lines():
                    if report and "notifications/progress" in line:
                        await report()

        yield call, client


WAYS = {
    "stdio": call_by_sdk,
    "http-2026": call_by_sdk,
    "hung-up-2026-07-28": call_by_hanging_up,
    "hung-up-2025-11-25": call_by_hanging_up,
}


async def give_up(call: Call, mistral: Sandbox, *, listens: bool, asked: int = 1, beyond: int = 0) -> None:
    """Begin so many calls, `beyond` of which do not reach Mistral, and cancel them all."""
    async with anyio.create_task_group() as group:
        for _ in range(asked + beyond):
            group.start_soon(call, ignore_report if listens else None)
        await mistral.wait_for_request(asked)
        group.cancel_scope.cancel()


async def give_up_in_the_answer(call: Call) -> None:
    """Begin a call, and cancel it once a part of the answer has been heard."""
    heard = anyio.Event()

    async def hear(*_: object) -> None:
        heard.set()

    async with anyio.create_task_group() as group:
        group.start_soon(call, hear)
        await heard.wait()
        group.cancel_scope.cancel()


async def expect_free_places(call: Call, mistral: Sandbox) -> None:
    """As many calls as there are places reach Mistral at once."""
    mistral.reset()
    mistral.faults.append(Fault(hang=True, times=None))  # a call given up just now may still arrive
    with anyio.fail_after(5):
        await give_up(call, mistral, listens=False, asked=PLACES)
        for request in list(mistral.requests):
            await request.wait_for_disconnect()


@pytest.mark.parametrize("transport", WAYS)
async def test_a_call_given_up_ends_at_mistral_and_leaves_nothing_behind(transport: str) -> None:
    """At every stage, more often than there are places, over one server: a place that leaked would be missed."""
    mistral = Sandbox(chunk_delay=0.05)
    with anyio.fail_after(60):
        async with (
            serve_app(mistral) as url,
            WAYS[transport](transport, url, max_concurrency=PLACES) as (call, client),
        ):
            for listens in (False, True):
                for _ in range(PLACES + 2):
                    mistral.reset()
                    mistral.faults.append(Fault(hang=True))
                    await give_up(call, mistral, listens=listens)
                    with anyio.fail_after(1):
                        await mistral.requests[0].wait_for_disconnect()
                    # Nor is the next call held up.
                    with anyio.fail_after(2):
                        assert text_of(await client.call_tool("mistral_chat", PROMPT)).startswith("Sandbox answer")

                if listens:
                    for _ in range(PLACES + 2):
                        mistral.reset()
                        await give_up_in_the_answer(call)
                        with anyio.fail_after(1):
                            await mistral.requests[0].wait_for_disconnect()

                mistral.reset()
                mistral.faults.append(Fault(status=503, headers={"retry-after": "30"}, times=None))
                await give_up(call, mistral, listens=listens, asked=PLACES)

                mistral.reset()
                mistral.faults.append(Fault(hang=True, times=None))
                await give_up(call, mistral, listens=listens, asked=PLACES, beyond=2)
                with anyio.fail_after(1):
                    for request in list(mistral.requests):
                        await request.wait_for_disconnect()

                await expect_free_places(call, mistral)


@pytest.mark.parametrize(
    ("transport", "listens"),
    [("stdio", True), ("http-2026", False), ("http-2026", True), ("hung-up-2025-11-25", True)],
)
async def test_other_calls_in_flight_are_not_disturbed(transport: str, listens: Any) -> None:
    mistral = Sandbox()
    mistral.faults.extend([Fault(hang=True), Fault(delay=0.5)])
    results: list[CallToolResult] = []
    with anyio.fail_after(20):
        async with serve_app(mistral) as url, WAYS[transport](transport, url) as (call, client):

            async def call_meanwhile() -> None:
                result = await client.call_tool("mistral_chat", PROMPT, progress_callback=ignore_report)
                results.append(result)

            async with anyio.create_task_group() as group:
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as given_up:
                        given_up.start_soon(call, ignore_report if listens else None)
                        await mistral.wait_for_request(1)
                        group.start_soon(call_meanwhile)
                        await mistral.wait_for_request(2)
                        scope.cancel()
                with anyio.fail_after(1):
                    await mistral.requests[0].wait_for_disconnect()
                assert mistral.requests[1].finished is None

    assert [result.is_error for result in results] == [False]
    assert not mistral.requests[1].disconnected


async def test_a_large_input_given_up_ends_all_its_requests(mistral_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(hang=True, times=None))
    async with connect_over_http(mistral_url, mode="2026-07-28") as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "mistral_embed", {"inputs": ["x"] * 3000})
                await sandbox.wait_for_request(8)
                scope.cancel()
        with anyio.fail_after(1):
            for request in list(sandbox.requests):
                await request.wait_for_disconnect()

    assert len(sandbox.requests) == 8


async def test_a_2025_clients_cancelled_over_stateless_http_is_accepted_and_has_no_effect(
    mistral_url: str, sandbox: Sandbox
) -> None:
    sandbox.faults.append(Fault(delay=0.3))
    app = create_app(Settings.model_validate({"route": mistral_url}))
    answers: list[Any] = []
    async with serving(app) as base, httpx2.AsyncClient(timeout=60) as http:

        async def call() -> None:
            response = await http.post(f"{base}/mcp", **request_of("2025-11-25", listens=False))
            answers.append(json.loads(response.text.partition("data: ")[2] or response.text))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await sandbox.wait_for_request()
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
            headers = request_of("2025-11-25", listens=False)["headers"]
            response = await http.post(f"{base}/mcp", json=cancelled, headers=headers)

    assert response.status_code == 202
    assert answers[0]["result"]["isError"] is False
