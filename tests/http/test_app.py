"""The HTTP front: whose credentials, which hosts, and what is refused before any tool runs."""

import json
import logging
from collections.abc import AsyncIterator

import anyio
import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.errors import BadSetting
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, at, serving

PING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}
HEADERS = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/list",
}


@pytest.fixture
async def base(mistral_url: str) -> AsyncIterator[str]:
    async with serving(create_app(Settings(route=mistral_url))) as url:
        yield url


@pytest.fixture
async def http(base: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=base) as client:
        yield client


async def ask(
    http: httpx2.AsyncClient, headers: dict[str, str] | list[tuple[str, str]], **extra: str
) -> httpx2.Response:
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    return await http.post("/mcp", json=PING, headers=[*HEADERS.items(), *pairs, *extra.items()])


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Mistral-Api-Key": KEY},
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"},
        {"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
async def test_a_key_comes_in_any_of_three_headers(http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    response = await ask(http, headers)

    assert response.status_code == 200
    assert len(response.json()["result"]["tools"]) == 8


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "X-Mistral-Api-Key, X-API-Key or Authorization: Bearer"),
        ({"X-API-Key": ""}, 401, "no credential"),
        ({"Authorization": "Bearer"}, 401, "no credential"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, 401, "Bearer"),
        ({"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh"}, 401, "another service's"),
        ({"X-API-Key": "ghp_0123456789abcdefghijklmnopqrstuvwxyz"}, 401, "another service's"),
        ({"X-API-Key": "sk-0123456789abcdefghij"}, 401, "another service's"),
        ({"X-API-Key": "aks_live_0123456789"}, 401, "another service's"),
        ({"X-API-Key": "mmcp_whatever"}, 401, "keeps no connections"),
        ({"X-API-Key": "MMCP_whatever"}, 401, "keeps no connections"),
        ({"X-API-Key": "https://example.org/c/mmcp_whatever/mcp"}, 401, "holds a connection's token"),
        ({"X-API-Key": "two words"}, 401, "not a key"),
        ({"X-API-Key": KEY, "X-Mistral-Api-Key": "another-key-0123456789"}, 400, "two different"),
        ({"X-API-Key": KEY, "Authorization": "Bearer another-key-0123456789"}, 400, "two different"),
    ],
)
async def test_what_is_no_single_key_of_mistrals_is_refused_and_never_sent_on(
    http: httpx2.AsyncClient, sandbox: Sandbox, headers: dict[str, str], status: int, words: str
) -> None:
    response = await ask(http, headers)

    assert response.status_code == status
    assert words in response.json()["error"]["message"]
    assert response.json()["jsonrpc"] == "2.0"
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert not any(value and value in response.text for name, value in headers.items() if "0123456789" in value)
    assert not sandbox.requests


async def test_without_a_vault_there_is_no_secret_url_and_the_server_is_ready(http: httpx2.AsyncClient) -> None:
    response = await http.post("/c/mmcp_whatever/mcp", headers={**HEADERS, "X-API-Key": KEY}, json=PING)

    assert response.status_code == 404
    assert "keeps no connections" in response.json()["error"]["message"]
    assert (await http.get("/readyz", headers={"Host": "10.1.2.3"})).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:x@evil.example", "localhost:1.evil.example"])
async def test_a_port_is_a_number(http: httpx2.AsyncClient, host: str) -> None:
    assert (await http.post("/mcp", headers={**HEADERS, "X-API-Key": KEY, "Host": host}, json=PING)).status_code == 421


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b'{"jsonrpc": "2.0", "id": 1, "method": 5, "params": {"prompt": "CANARY"}}'),
        ({}, b'[{"jsonrpc": "2.0", "id": 1, "method": "CANARY"}]'),
        ({}, b'{"CANARY'),
        ({"content-type": "text/plain"}, b"CANARY"),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_what_is_no_message_is_refused_in_one_that_repeats_nothing_of_it(
    http: httpx2.AsyncClient, version: str, headers: dict[str, str], body: bytes
) -> None:
    sent = {**HEADERS, "mcp-protocol-version": version, "X-API-Key": KEY, **headers}
    response = await http.post("/mcp", headers=sent, content=body)

    assert response.status_code == 400
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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Host": "localhost:1234"}, 200),
    ],
)
async def test_other_hosts_and_other_sites_pages_are_refused(
    http: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await ask(http, {"X-API-Key": KEY, **headers})).status_code == status


async def test_health_is_told_under_any_host(http: httpx2.AsyncClient) -> None:
    response = await http.get("/healthz", headers={"Host": "10.0.0.7"})

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_nothing_but_post_is_served_and_no_stream_is_held_open(http: httpx2.AsyncClient, method: str) -> None:
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


async def test_keys_of_callers_are_refused_where_the_operator_does_not_want_them(mistral_url: str) -> None:
    app = create_app(Settings(route=mistral_url, byok=False))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        assert (await ask(http, {"X-API-Key": KEY})).status_code == 401


def test_a_server_reachable_from_beyond_loopback_must_know_its_names() -> None:
    with pytest.raises(BadSetting, match="PUBLIC_URL nor ALLOWED_HOSTS"):
        create_app(Settings(host="0.0.0.0"))  # noqa: S104
    create_app(Settings(host="0.0.0.0", public_url="https://mcp.example.com"))  # noqa: S104


async def test_two_callers_interleaved_never_use_each_others_key(
    base: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = ["kEyOfAlice0123456789abcdefghijkl", "kEyOfBob000123456789abcdefghijkl"]

    async def calls(key: str) -> None:
        async with at(f"{base}/mcp", {"X-Mistral-Api-Key": key}) as client, anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(client.call_tool, "mistral_chat", {"prompt": f"{key[5:8]} {number}"})

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for key in keys:
                group.start_soon(calls, key)

    assert len(sandbox.requests) == 200
    for request in sandbox.requests:
        assert request.key is not None
        assert request.json["messages"][0]["content"].startswith(request.key[5:8])
    assert not any(key in caplog.text for key in keys)


async def test_a_key_that_mistral_echoes_is_masked_everywhere(base: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(echo_key=True))
    sandbox.faults.append(Fault(status=200, body=json.dumps({"choices": [{"message": {"content": f"It is {KEY}."}}]})))
    async with at(f"{base}/mcp", {"X-Mistral-Api-Key": KEY}) as client:
        failed = await client.call_tool("mistral_chat", {"prompt": "Hi"})
        answered = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    assert failed.is_error
    assert KEY not in failed.model_dump_json()
    assert not answered.is_error
    assert KEY not in answered.model_dump_json()
    assert "It is [masked]." in answered.model_dump_json()
