"""From spawn to the answered tools/list over stdio, beside the SDK's minimal server."""

import statistics
import sys
import time
from pathlib import Path

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters


async def measure(rounds: int = 7) -> list[str]:
    ways = {
        "minimal": StdioServerParameters(
            command=sys.executable, args=["-m", "benchmarks.minimal", "http://127.0.0.1:9"], cwd=Path.cwd()
        ),
        "ours": StdioServerParameters(
            command=sys.executable, args=["-m", "mistral_mcp"], env={"MISTRAL_API_KEY": "key"}
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, parameters in ways.items():
            began = time.perf_counter()
            async with Client(parameters) as client:
                await client.list_tools()
                times[name].append(time.perf_counter() - began)
    base = statistics.median(times["minimal"])
    return [
        f"{name:>8} {statistics.median(found) * 1000:>6.0f} ms {statistics.median(found) / base:>5.2f}x"
        for name, found in times.items()
    ]
