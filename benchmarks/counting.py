"""The cost of usage, budgets, an audit line and metrics for each call, compared with the same server without them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.bench import Bench, Contender, Load, run_interleaved
from benchmarks.plans import percentile
from benchmarks.processes import Server, python
from benchmarks.rows import Goal, Row, median_row

_CALLERS = 32
_BESIDE = "uncounted"
_NAME = "CPU per call, 32 callers, with usage, budgets, audit lines and metrics"
_P99 = "p99 of a call, 32 callers, counted"


async def measure(bench: Bench) -> list[Row]:
    limits = {"budget_usd": 1000, "budget_calls_per_day": 1_000_000}
    counted = bench.ours("counted", log_level="INFO", **limits)

    def command(port: int) -> Sequence[str]:
        return python("-m", "benchmarks.uncounted", "serve", "--port", str(port))

    uncounted = replace(bench.ours(_BESIDE, log_level="INFO"), http=command)
    contenders = [counted, uncounted]

    async def load(contender: Contender, server: Server, calls: int) -> Load:
        return await bench.load(bench.plan(contender, server.port, _CALLERS, calls), server)

    async with bench.start_servers(*contenders) as servers:
        ways = list(zip(contenders, servers, strict=True))
        for contender, server in ways:
            await load(contender, server, bench.scale.calls // 5)  # warms caches and pools
        runs = await run_interleaved(
            {
                each.name: lambda each=each, server=server: load(each, server, bench.scale.calls)
                for each, server in ways
            },
            bench.scale.rounds,
        )

    def row(name: str, unit: str, figure: Callable[[Load], float], goal: Goal | None = None) -> Row:
        ours, theirs = ([figure(each) for each in runs[contender.name]] for contender in contenders)
        return median_row(name, unit, ours, beside=_BESIDE, baseline=theirs, goal=goal)

    return [
        row(_NAME, "ms", lambda each: each.cpu_ms, Goal(1.05)),
        row(_P99, "ms", lambda each: percentile(each.outcome.latencies, 99) * 1000, Goal(1.05)),
        row("calls a second, counted", "calls/s", lambda each: each.outcome.per_second),
    ]
