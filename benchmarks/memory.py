"""Memory over 10,000 calls with faults: it must stay, whatever goes wrong."""

import os
from pathlib import Path

import anyio
from mcp.client import Client

from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.sandbox import Fault, Sandbox, listening

_FAULTS = (
    Fault(status=500),
    Fault(status=422),
    Fault.rate_limited(),
    Fault(malformed=True),
    Fault(html=True, status=502),
    Fault(drop="before_headers"),
    Fault(echo_key=True),
)


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(calls: int = 10_000) -> list[str]:
    sandbox = Sandbox()
    lines = ["calls with a fault in every seventh; sandbox, client and server share this process"]
    async with listening(sandbox) as url:
        settings = Settings.model_validate({"route": url, "max_retries": 0, "max_concurrency": 32})
        async with Client(create_server(settings, from_key("bEnChMaRk0123456789abcdefghijklm"))) as client:
            first = 0.0
            for done in range(0, calls + 1, calls // 10):
                if done:
                    await _calls(client, sandbox, calls // 10)
                # The first tenth fills caches and pools.
                first = rss_mb() if done <= calls // 10 else first
                lines.append(f"{done:>8} {rss_mb():>8.1f} MB {rss_mb() / first:>6.3f}x")
    return lines


async def _calls(client: Client, sandbox: Sandbox, calls: int) -> None:
    async def some(count: int) -> None:
        for number in range(count):
            if number % 7 == 0:
                sandbox.faults.append(_FAULTS[number // 7 % len(_FAULTS)])
            await client.call_tool("mistral_chat", {"prompt": "Hello"})

    async with anyio.create_task_group() as group:
        for _ in range(16):
            group.start_soon(some, calls // 16)
    sandbox.reset()
