"""The latency added to a call, compared with the same call sent directly to the upstream; one call after the other."""

import statistics
import time
from contextlib import AsyncExitStack

from benchmarks.bench import Bench, Contender, run_interleaved
from benchmarks.plans import Plan, percentile
from benchmarks.processes import LineProcess, Server, start_process
from benchmarks.rows import Row, median_row
from benchmarks.wire import Era, Json, direct, question, tool_call


async def measure(bench: Bench) -> list[Row]:
    return [*await _over_stdio(bench), *await _over_http(bench)]


async def _direct(bench: Bench) -> float:
    target = direct(bench.upstream.port, question("Hello"), expect="Hello there,")
    plan = Plan(targets=[target], callers=1, calls=bench.scale.sequential)
    return percentile((await bench.load(plan)).outcome.latencies, 50) * 1000


async def _over_stdio(bench: Bench) -> list[Row]:
    contenders = [bench.ours(), bench.minimal(), *bench.peers]
    async with AsyncExitStack() as stack:
        talks = {
            each.name: await stack.enter_async_context(start_process(each.stdio, each.environment))
            for each in contenders
        }
        for talk in talks.values():
            await talk.initialize()
        calls = {each.name: tool_call(each.tool, each.arguments, "2025-11-25") for each in contenders}
        ways = {
            each.name: lambda each=each: _stdio(
                talks[each.name], calls[each.name], bench.scale.sequential // each.slowdown
            )
            for each in contenders
        }
        await run_interleaved(ways, 1)
        runs = await run_interleaved({"direct call": lambda: _direct(bench), **ways}, bench.scale.rounds)
    return _rows("added latency, stdio", runs)


async def _stdio(server: LineProcess, call: Json, calls: int) -> float:
    """The median, in milliseconds."""
    times: list[float] = []
    for _ in range(max(calls, 10)):
        began = time.perf_counter()
        await server.ask(call)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


async def _over_http(bench: Bench) -> list[Row]:
    contenders = [bench.ours(), bench.minimal(), *bench.peers]
    async with bench.start_servers(*contenders) as servers:
        pairs = list(zip(contenders, servers, strict=True))
        return [
            *_rows("added latency, HTTP 2025-11-25 (initialize)", await _runs(bench, pairs, "2025-11-25")),
            *_rows("added latency, HTTP 2026-07-28 (stateless)", await _runs(bench, pairs, "2026-07-28")),
        ]


async def _runs(bench: Bench, pairs: list[tuple[Contender, Server]], era: Era) -> dict[str, list[float]]:
    ways = {
        each.name: lambda each=each, server=server: _http(bench, each, server, era)
        for each, server in pairs
        if era in each.eras
    }
    await run_interleaved(ways, 1)
    return await run_interleaved({"direct call": lambda: _direct(bench), **ways}, bench.scale.rounds)


async def _http(bench: Bench, contender: Contender, server: Server, era: Era) -> float:
    plan = bench.plan(contender, server.port, 1, bench.scale.sequential, era=era)
    return percentile((await bench.load(plan)).outcome.latencies, 50) * 1000


def _rows(what: str, runs: dict[str, list[float]]) -> list[Row]:
    """The added latency beside that of each other server, and our whole latency beside the direct call."""
    bare = statistics.median(runs["direct call"])
    added = {name: [time - bare for time in times] for name, times in runs.items()}
    others = [name for name in runs if name not in {"ours", "direct call"}]
    return [
        *(median_row(what, "ms", added["ours"], beside=name, baseline=added[name]) for name in others),
        median_row(
            what.replace("added", "whole"), "ms", runs["ours"], beside="direct call", baseline=runs["direct call"]
        ),
    ]
