"""The time from starting the process to the answer to tools/list over stdio, and the memory used then."""

import time

from benchmarks.bench import Bench, Contender, run_interleaved
from benchmarks.processes import start_process
from benchmarks.rows import Goal, Row, median_row
from benchmarks.wire import Json

LIST: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

StartCosts = tuple[float, float, float]
"""Elapsed time in ms, CPU time in ms, memory in MB."""


async def time_start(contender: Contender) -> StartCosts:
    began = time.perf_counter()
    async with start_process(contender.stdio, contender.environment) as server:
        await server.initialize()
        await server.ask(LIST)
        seconds = time.perf_counter() - began
        return seconds * 1000, server.costs.cpu_seconds() * 1000, server.costs.rss_mb()


async def measure(bench: Bench) -> list[Row]:
    contenders = [bench.ours(), bench.minimal(), bench.ours("ours, all toolsets", toolsets="all"), *bench.peers]
    await run_interleaved(
        {each.name: lambda each=each: time_start(each) for each in contenders}, 1
    )  # warms the disk
    runs = await run_interleaved(
        {each.name: lambda each=each: time_start(each) for each in contenders}, bench.scale.starts
    )

    def row(what: str, unit: str, which: int, beside: str, goal: Goal | None = None, ours: str = "ours") -> Row:
        mine, others = ([run[which] for run in runs[name]] for name in (ours, beside))
        return median_row(what, unit, mine, beside=beside, baseline=others, goal=goal)

    return [
        row("start to tools/list, stdio", "ms", 0, "minimal", Goal(1.15)),
        row("start to tools/list, stdio, all toolsets", "ms", 0, "ours", ours="ours, all toolsets"),
        row("start to tools/list, stdio, CPU", "ms", 1, "minimal"),
        row("memory idle, stdio", "MB", 2, "minimal", Goal(1.2)),
        *(row("start to tools/list, stdio", "ms", 0, peer.name) for peer in bench.peers),
        *(row("memory idle, stdio", "MB", 2, peer.name) for peer in bench.peers),
    ]
