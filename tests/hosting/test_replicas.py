"""Two `serve` processes on one Postgres and one Redis, as behind any balancer."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import psycopg
import pytest

from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, connect_to, text_of
from tests.hosting.conftest import MASTER_KEY, SCHEMA
from tests.hosting.oauth.conftest import OAuthClient, consent
from tests.http.conftest import HEADERS, PING

pytestmark = pytest.mark.slow

REDIS = "redis://127.0.0.1:6379/9"
PUBLIC = "https://mcp.example"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
async def replicas(postgres_url: str, mistral_url: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    async with run_replicas(mistral_url, DATABASE_URL=postgres_url, REDIS_URL=REDIS) as replicas:
        yield replicas


@pytest.fixture(params=["postgres", "sqlite"])
async def replicas_behind_one_url(
    request: pytest.FixtureRequest, mistral_url: str, tmp_path: Path
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Two on each kind of database, which clients know by one URL."""
    if request.param == "sqlite":
        shared = {"DATA_DIR": str(tmp_path / "data")}
    else:
        shared = {"DATABASE_URL": request.getfixturevalue("postgres_url"), "REDIS_URL": REDIS}
    async with run_replicas(mistral_url, PUBLIC_URL=PUBLIC, **shared) as replicas:
        yield replicas


@asynccontextmanager
async def run_replicas(mistral_url: str, **settings: str) -> AsyncGenerator[list[httpx2.AsyncClient]]:
    settings |= {"ROUTE": mistral_url, "MASTER_KEYS": MASTER_KEY, "LOG_LEVEL": "WARNING"}
    environment = {f"MISTRAL_MCP_{name}": value for name, value in settings.items()}
    async with AsyncExitStack() as stack:
        clients: list[httpx2.AsyncClient] = []
        for port in (free_port(), free_port()):
            command = [sys.executable, "-m", "mistral_mcp", "serve", "--port", str(port)]
            # Both start at once, on an empty database.
            server = await anyio.open_process(
                command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
            )
            stack.push_async_callback(server.wait)
            stack.callback(server.send_signal, signal.SIGTERM)
            base = f"http://127.0.0.1:{port}"
            clients.append(await stack.enter_async_context(httpx2.AsyncClient(base_url=base, timeout=30)))
        with anyio.fail_after(60):
            for client in clients:
                await _ready(client)
        yield clients


async def _ready(client: httpx2.AsyncClient) -> None:
    while True:
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx2.TransportError:
            await anyio.sleep(0.1)  # until it listens


async def test_what_one_replica_makes_works_on_the_other_and_ends_there_within_5_seconds(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    one, other = replicas
    made = (await one.post("/connections", json={"api_key": KEY})).json()
    path = f"/c/{made['token']}/mcp"

    async with connect_to(str(other.base_url).rstrip("/") + path, {}) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})
    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].key == KEY

    await one.delete("/connections/current", headers={"X-API-Key": made["token"]})
    assert (await one.post(path, json=PING, headers=HEADERS)).status_code == 410
    with anyio.fail_after(5):
        while (await other.post(path, json=PING, headers=HEADERS)).status_code == 200:  # noqa: ASYNC110 - another process decides
            await anyio.sleep(0.1)
    assert (await other.post(path, json=PING, headers=HEADERS)).status_code == 410


async def test_calls_of_many_connections_over_both_replicas_each_go_out_with_their_own_key(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    keys = [f"kEyNumber{number:03d}0123456789abcdefghi" for number in range(30)]
    made = [(await replicas[0].post("/connections", json={"api_key": key})).json() for key in keys]
    sandbox.reset()

    async def calls(number: int) -> None:
        base = str(replicas[number % 2].base_url).rstrip("/")
        async with connect_to(f"{base}/c/{made[number]['token']}/mcp", {}) as client:
            for _ in range(5):
                await client.call_tool("mistral_chat", {"prompt": f"number {number:03d}"})

    with anyio.fail_after(90):
        async with anyio.create_task_group() as group:
            for number in range(len(keys)):
                group.start_soon(calls, number)

    assert len(sandbox.requests) == 150
    for request in sandbox.requests:
        assert request.json["messages"][0]["content"][-3:] == (request.key or "")[9:12]


async def test_a_database_that_becomes_unavailable_gives_503_and_comes_back_without_a_restart(
    replicas: list[httpx2.AsyncClient], postgres: tuple[psycopg.Connection, str]
) -> None:
    connection, _ = postgres
    made = (await replicas[0].post("/connections", json={"api_key": KEY})).json()
    headers = {"X-API-Key": made["token"]}

    connection.execute(f"ALTER TABLE {SCHEMA}.mmcp_connections RENAME TO away")
    gone = await replicas[0].get("/connections/current", headers=headers)
    connection.execute(f"ALTER TABLE {SCHEMA}.away RENAME TO mmcp_connections")

    assert gone.status_code == 503
    assert int(gone.headers["retry-after"]) > 0
    assert (await replicas[0].get("/connections/current", headers=headers)).status_code == 200


async def test_a_sign_in_goes_over_both_replicas_and_ends_on_both_within_5_seconds(
    replicas_behind_one_url: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    one, other = replicas_behind_one_url
    client = OAuthClient(one)
    assert (await client.register()).status_code == 201

    client.http = other
    code = (await consent(other, client.authorize_url(resource=f"{PUBLIC}/mcp")))["code"]
    client.http = one
    first = (await client.redeem(code)).json()
    client.http = other
    second = (await client.refresh(first["refresh_token"])).json()

    signed_in = {"Authorization": f"Bearer {second['access_token']}"}
    for replica in replicas_behind_one_url:
        async with connect_to(f"{str(replica.base_url).rstrip('/')}/mcp", signed_in) as connected:
            assert not (await connected.call_tool("mistral_chat", {"prompt": "Hi"})).is_error
        assert sandbox.requests[-1].key == KEY

    revoked = {"token": second["refresh_token"], "client_id": client.client_id}
    assert (await one.post("/revoke", data=revoked)).status_code == 200
    assert (await one.post("/mcp", json=PING, headers=HEADERS | signed_in)).status_code == 401
    with anyio.fail_after(5):
        while (await other.post("/mcp", json=PING, headers=HEADERS | signed_in)).status_code == 200:  # noqa: ASYNC110 - another process decides
            await anyio.sleep(0.1)
    assert (await other.post("/mcp", json=PING, headers=HEADERS | signed_in)).status_code == 401
    client.http = other
    assert (await client.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
