"""What it costs to count: usage, budgets, a line of the log and metrics for each call, beside the same server without them."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.bench import Bench, Contender, interleaved
from benchmarks.processes import Server, python
from benchmarks.rows import Goal, Row, median_row

_CALLERS = 32
_BESIDE = "uncounted"
_NAME = "CPU per call, 32 callers, with usage, budgets, audit lines and metrics"


async def measure(bench: Bench) -> list[Row]:
    limits = {"budget_usd": 1000, "budget_calls_per_day": 1_000_000}
    counted = bench.ours("counted", log_level="INFO", **limits)

    def command(port: int) -> Sequence[str]:
        return python("-m", "benchmarks.uncounted", "serve", "--port", str(port))

    uncounted = replace(bench.ours(_BESIDE, log_level="INFO"), http=command)
    contenders = [counted, uncounted]

    async def load(contender: Contender, server: Server, calls: int) -> tuple[float, float]:
        plan = bench.plan(contender, server.port, _CALLERS, calls)
        found = await bench.load(plan, server)
        return found.cpu_ms, found.outcome.per_second

    async with bench.serving(*contenders) as servers:
        ways = list(zip(contenders, servers, strict=True))
        for contender, server in ways:
            await load(contender, server, bench.scale.calls // 5)  # warms caches and pools
        runs = await interleaved(
            {
                each.name: lambda each=each, server=server: load(each, server, bench.scale.calls)
                for each, server in ways
            },
            bench.scale.rounds,
        )
    ours, theirs = ([cpu for cpu, _ in runs[each.name]] for each in contenders)
    rates = [[rate for _, rate in runs[each.name]] for each in contenders]
    return [
        median_row(_NAME, "ms", ours, beside=_BESIDE, baseline=theirs, goal=Goal(1.05)),
        median_row("calls a second, counted", "calls/s", rates[0], beside=_BESIDE, baseline=rates[1]),
    ]
