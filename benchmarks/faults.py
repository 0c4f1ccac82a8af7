"""Memory over ten thousand calls, every seventh of which fails: it must not grow."""

import os
from pathlib import Path

import anyio
from mcp.client import Client

from benchmarks.bench import Bench
from benchmarks.processes import CannotMeasure
from benchmarks.rows import Goal, Row
from benchmarks.wire import KEY
from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.sandbox import Fault, Sandbox, serve_app

_CALLERS = 16
_FAULTS = (
    Fault(status=500),
    Fault(status=422),
    Fault(status=429),
    Fault(malformed=True),
    Fault(html=True, status=502),
    Fault(drop="before_headers"),
    Fault(echo_key=True),
)


async def measure(bench: Bench) -> list[Row]:
    """The sandbox, the client and the server run in this process; the first tenth of the calls fills caches and pools."""
    sandbox = Sandbox()
    tenth = bench.scale.load // 10
    async with serve_app(sandbox) as url:
        settings = Settings.model_validate({"route": url, "max_retries": 0, "max_concurrency": 32})
        async with Client(create_server(settings, from_key(KEY))) as client:
            answered = await _calls(client, sandbox, tenth)
            first = _rss_mb()
            for _ in range(9):
                answered += await _calls(client, sandbox, tenth)
            last = _rss_mb()
    if answered < 0.8 * 10 * tenth:
        raise CannotMeasure(f"only {answered} of {10 * tenth} calls were answered")
    return [
        Row("memory after the calls, with faults", "MB", last, "after a tenth of them", first, goal=Goal(1.05))
    ]


async def _calls(client: Client, sandbox: Sandbox, calls: int) -> int:
    """Make the calls, and return how many succeeded."""
    answered = 0
    numbers = iter(range(calls))

    async def some() -> None:
        nonlocal answered
        for number in numbers:
            if number % 7 == 0:
                sandbox.faults.append(_FAULTS[number // 7 % len(_FAULTS)])
            result = await client.call_tool("mistral_chat", {"prompt": "Hello"})
            answered += not result.is_error

    async with anyio.create_task_group() as group:
        for _ in range(_CALLERS):
            group.start_soon(some)
    sandbox.reset()
    return answered


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
