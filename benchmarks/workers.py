"""`--workers 2` beside one worker: calls per second, and the latency of a single caller."""

from benchmarks.bench import Bench, Contender, Load, run_interleaved
from benchmarks.plans import percentile
from benchmarks.processes import Server
from benchmarks.rows import Row, median_row

_BESIDE = "one worker"


async def measure(bench: Bench) -> list[Row]:
    one, two = bench.ours(_BESIDE), bench.ours("two workers", workers=2)
    async with bench.start_servers(one, two) as servers:
        pairs = list(zip((one, two), servers, strict=True))
        many, alone = await _runs(bench, pairs, 32), await _runs(bench, pairs, 1)
    rates = {name: [load.outcome.per_second for load in loads] for name, loads in many.items()}
    # The 90th percentile is the first to show replies that are delayed by an acknowledgement.
    waits = {
        name: [percentile(load.outcome.latencies, 90) * 1000 for load in loads] for name, loads in alone.items()
    }
    return [
        median_row(
            "two workers, 32 callers", "calls/s", rates["two workers"], beside=_BESIDE, baseline=rates[_BESIDE]
        ),
        median_row(
            "two workers, 1 caller, p90", "ms", waits["two workers"], beside=_BESIDE, baseline=waits[_BESIDE]
        ),
    ]


async def _runs(bench: Bench, pairs: list[tuple[Contender, Server]], callers: int) -> dict[str, list[Load]]:
    calls = bench.scale.calls if callers > 1 else bench.scale.sequential

    ways = {
        each.name: lambda each=each, server=server: bench.load(
            bench.plan(each, server.port, callers, calls), server
        )
        for each, server in pairs
    }
    await run_interleaved(ways, 1)
    return await run_interleaved(ways, bench.scale.rounds)
