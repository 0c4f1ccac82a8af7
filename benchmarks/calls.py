"""HTTP calls: processor time a call, calls a second, memory; beside the SDK's minimal server, and with the vault beside without."""

import socket
import statistics
import tempfile
import time
from dataclasses import dataclass

import anyio
import httpx2

from benchmarks.processes import Server, running

KEY = "bEnChMaRk0123456789abcdefghijklm"
HEADERS = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "mistral_chat",
}
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "mistral_chat", "arguments": {"prompt": "Hello"}, "_meta": _META},
}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@dataclass(frozen=True)
class Load:
    """What a number of calls cost the server."""

    cpu_ms: float
    per_second: float


async def load(server: Server, url: str, callers: int, calls: int, headers: dict[str, str]) -> Load:
    """Call the chat tool from so many callers at once. The client shares the machine: processor time is the sound figure."""
    left = iter(range(calls))

    async def caller(http: httpx2.AsyncClient) -> None:
        for _ in left:
            response = await http.post(url, json=CALL, headers={**HEADERS, **headers})
            if response.json()["result"].get("isError"):
                raise RuntimeError(response.text)

    limits = httpx2.Limits(max_connections=callers, max_keepalive_connections=callers)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as http:
        before, began = server.cpu_seconds(), time.monotonic()
        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(caller, http)
        seconds = time.monotonic() - began
    return Load((server.cpu_seconds() - before) / calls * 1000, calls / seconds)


async def measure(calls: int = 2_000, rounds: int = 3) -> list[str]:
    """Rounds alternate between the servers, so that a noisy minute hits them all."""
    with tempfile.TemporaryDirectory() as folder:
        return await _measure(folder, calls, rounds)


async def _measure(folder: str, calls: int, rounds: int) -> list[str]:
    upstream, minimal, product = free_port(), free_port(), free_port()
    mistral = f"http://127.0.0.1:{upstream}"
    settings = {
        "MISTRAL_MCP_ROUTE": mistral,
        "MISTRAL_MCP_DATA_DIR": folder,
        "MISTRAL_MCP_MAX_CONCURRENCY": "128",
        "MISTRAL_MCP_LOG_LEVEL": "WARNING",
    }
    async with (
        running(["-m", "benchmarks.upstream", str(upstream)], {}, upstream, "/v1/models"),
        running(["-m", "benchmarks.minimal", mistral, str(minimal)], {}, minimal, "/") as baseline,
        running(["-m", "mistral_mcp", "serve", "--port", str(product)], settings, product, "/healthz") as ours,
        httpx2.AsyncClient() as http,
    ):
        idle = {"minimal": baseline.rss_mb(), "ours": ours.rss_mb()}
        secret_url = (await http.post(f"{ours.url}/connections", json={"api_key": KEY})).json()["url"]
        own_key = {"x-mistral-api-key": KEY}
        ways: dict[str, tuple[Server, str, dict[str, str]]] = {
            "minimal": (baseline, f"{baseline.url}/mcp", {}),
            "ours, key in a header": (ours, f"{ours.url}/mcp", own_key),
            "ours, secret URL": (ours, secret_url, {}),
        }
        for server, url, headers in ways.values():
            await load(server, url, 8, 200, headers)
        lines = [f"{'':>24} {'callers':>8} {'CPU ms/call':>12} {'ratio':>6} {'calls/s':>8} {'ratio':>6}"]
        for callers in (1, 32, 128):
            runs = {
                name: [await load(*way[:2], callers, calls, way[2]) for _ in range(rounds)]
                for name, way in ways.items()
            }
            base = _median(runs["minimal"])
            for name, results in runs.items():
                found = _median(results)
                lines.append(
                    f"{name:>24} {callers:>8} {found.cpu_ms:>12.2f} {found.cpu_ms / base.cpu_ms:>5.2f}x"
                    f" {found.per_second:>8.0f} {found.per_second / base.per_second:>5.2f}x"
                )
        after = {"minimal": baseline.rss_mb(), "ours": ours.rss_mb()}
        for name, memory in (("idle", idle), ("after the calls", after)):
            lines.append(
                f"memory {name}: minimal {memory['minimal']:.0f} MB, ours {memory['ours']:.0f} MB, "
                f"{memory['ours'] / memory['minimal']:.2f}x"
            )
    return lines


def _median(results: list[Load]) -> Load:
    return Load(
        statistics.median(result.cpu_ms for result in results),
        statistics.median(result.per_second for result in results),
    )
