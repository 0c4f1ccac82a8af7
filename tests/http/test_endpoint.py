"""The requests that an MCP endpoint accepts, and those it rejects with a message that a client can show."""

import json

import anyio
import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, serving
from tests.http.conftest import HEADERS, PING


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b'{"jsonrpc": "2.0", "id": 1, "method": 5, "params": {"prompt": "CANARY"}}', 400),
        ({}, b'[{"jsonrpc": "2.0", "id": 1, "method": "CANARY"}]', 400),
        ({}, b'{"CANARY', 400),
        ({"content-type": "text/plain"}, b"CANARY", 415),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_what_is_no_message_is_refused_in_one_that_repeats_nothing_of_it(
    http: httpx2.AsyncClient, version: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    sent = {**HEADERS, "mcp-protocol-version": version, "X-API-Key": KEY, **headers}
    response = await http.post("/mcp", headers=sent, content=body)

    assert response.status_code == status
    assert response.json()["jsonrpc"] == "2.0"
    assert 0 < len(response.json()["error"]["message"]) < 200
    assert "CANARY" not in response.text


async def test_credentials_are_checked_before_the_body_is_read(base: str) -> None:
    """A body that never comes would otherwise hold the request."""
    host, port = base.removeprefix("http://").split(":")
    with anyio.fail_after(5):
        stream = await anyio.connect_tcp(host, int(port))
        async with stream:
            await stream.send(b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n")
            assert b"401" in await stream.receive()


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_nothing_but_post_is_served_and_no_stream_is_held_open(
    http: httpx2.AsyncClient, method: str
) -> None:
    response = await http.request(method, "/mcp", headers={"X-API-Key": KEY, "accept": "text/event-stream"})

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_a_body_beyond_the_limit_is_refused(mistral_url: str) -> None:
    app = create_app(Settings(route=mistral_url, max_body=10_000))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        response = await http.post(
            "/mcp", content=json.dumps(PING).ljust(20_000), headers={**HEADERS, "X-API-Key": KEY}
        )
    assert response.status_code == response.json()["error"]["code"] == 413


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(status=503, headers={"retry-after": "0.01"}, times=9), "Mistral failed"),
        (Fault.rate_limited(), "HTTP 429 from Mistral; waiting"),
        (Fault(malformed=True), "Try again in 30 s"),
        (Fault(drop="before_headers", times=9), "Mistral dropped the connection"),
    ],
    ids=["503", "a wait, in progress", "no JSON", "dropped"],
)
async def test_where_the_operator_s_route_leads_is_not_for_tenants_to_read(
    http: httpx2.AsyncClient, sandbox: Sandbox, mistral_url: str, fault: Fault, said: str
) -> None:
    sandbox.faults.append(fault)
    call = {"name": "mistral_chat", "arguments": {"prompt": "Hello"}, "_meta": {"progressToken": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    headers = {**HEADERS, "mcp-protocol-version": "2025-06-18", "X-API-Key": KEY}
    response = await http.post("/mcp", json=body, headers=headers)

    assert said in response.text
    assert mistral_url.removeprefix("http://").rpartition(":")[0] not in response.text
