"""300 connections, 20 calls each, interleaved over two replicas on one Postgres; beside the same calls with keys in headers.

Needs a Postgres that trusts 127.0.0.1, with a database `test`; every call is checked to have gone out with its own key.
"""

import os
import secrets
import time
from collections import Counter

import anyio
import httpx2
import psycopg

from benchmarks.calls import CALL, HEADERS, free_port
from benchmarks.processes import running
from mistral_mcp.sandbox import Sandbox, listening

_POSTGRES = f"postgresql://{os.environ.get('PGUSER', 'postgres')}@127.0.0.1:5432/test"
_KEY = "bEnChMaRk{:04d}23456789abcdefghijk"


async def measure(connections: int = 300, calls: int = 20) -> list[str]:
    schema = f"mmcp_bench_{secrets.token_hex(4)}"
    with psycopg.connect(_POSTGRES, autocommit=True) as database:
        database.execute(f"CREATE SCHEMA {schema}")
        try:
            return await _measure(f"{_POSTGRES}?options=-csearch_path%3D{schema}", connections, calls)
        finally:
            database.execute(f"DROP SCHEMA {schema} CASCADE")


async def _measure(database: str, connections: int, calls: int) -> list[str]:
    sandbox = Sandbox()
    keys = [_KEY.format(number) for number in range(connections)]
    async with listening(sandbox) as mistral, httpx2.AsyncClient(timeout=60) as http:
        settings = {
            "MISTRAL_MCP_DATABASE_URL": database,
            "MISTRAL_MCP_MASTER_KEYS": "0123456789abcdef" * 4,
            "MISTRAL_MCP_ROUTE": mistral,
            "MISTRAL_MCP_LOG_LEVEL": "WARNING",
        }
        one, other = free_port(), free_port()
        serve = ["-m", "mistral_mcp", "serve", "--port"]
        async with (
            running([*serve, str(one)], settings, one, "/readyz") as first,
            running([*serve, str(other)], settings, other, "/readyz") as second,
        ):
            bases = [first.url, second.url]
            made = [(await http.post(f"{first.url}/connections", json={"api_key": key})).json() for key in keys]
            stored = [(f"{bases[n % 2]}/c/{each['token']}/mcp", {}) for n, each in enumerate(made)]
            own = [(f"{bases[n % 2]}/mcp", {"x-mistral-api-key": key}) for n, key in enumerate(keys)]
            rates = {"with the vault": [], "keys in headers": []}
            for _ in range(2):
                for name, doors in (("keys in headers", own), ("with the vault", stored)):
                    sandbox.reset()
                    rates[name].append(await _all(http, doors, calls))
                    used = Counter(request.key for request in sandbox.requests)
                    if used != Counter(dict.fromkeys(keys, calls)):
                        raise RuntimeError("a call went out with another's key")
    base = max(rates["keys in headers"])
    return [f"{name:>16} {max(found):>6.0f} calls/s {max(found) / base:>5.2f}x" for name, found in rates.items()]


async def _all(http: httpx2.AsyncClient, doors: list[tuple[str, dict[str, str]]], calls: int) -> float:
    """Calls a second, 32 at once, the connections taking turns."""
    left = iter([door for _ in range(calls) for door in doors])

    async def caller() -> None:
        for url, headers in left:
            response = await http.post(url, json=CALL, headers={**HEADERS, **headers})
            if response.json()["result"].get("isError"):
                raise RuntimeError(response.text)

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(32):
            group.start_soon(caller)
    return len(doors) * calls / (time.monotonic() - began)
