"""One call with three thousand inputs, which is split into several requests and answered with one 12 MB attachment."""

from benchmarks.bare import Task
from benchmarks.bench import Bench, run_interleaved
from benchmarks.plans import Plan
from benchmarks.processes import python, start_process
from benchmarks.rows import Row, median_row
from benchmarks.streams import ask
from benchmarks.wire import KEY, mcp

_BESIDE = "direct calls, no server"


async def measure(bench: Bench) -> list[Row]:
    """Elapsed time and CPU time, both in seconds."""
    task = Task(inputs=bench.scale.embeddings)
    texts = [f"text {number}" for number in range(task.inputs)]
    async with (
        bench.start_servers(bench.ours()) as (server,),
        start_process(python("-m", "benchmarks.bare", bench.upstream.url), {}) as client,
    ):
        target = mcp(
            server.port,
            "mistral_embed",
            {"inputs": texts},
            era="2026-07-28",
            key=KEY,
            expect=f"{task.inputs:,} vectors of 1024 dimensions",
        )
        plan = Plan(targets=[target], callers=1, calls=1)

        async def ours() -> tuple[float, float]:
            load = await bench.load(plan, server)
            return load.outcome.seconds, load.cpu_ms / 1000

        async def bare() -> tuple[float, float]:
            spent = await ask(client, task)
            return spent.seconds, spent.cpu_seconds

        ways = {"ours": ours, _BESIDE: bare}
        await run_interleaved(ways, 1)
        runs = await run_interleaved(ways, bench.scale.rounds)
        held = server.rss_mb()
    name = f"{task.inputs:,}-input embedding"
    mine, theirs = runs["ours"], runs[_BESIDE]
    return [
        median_row(name, "s", [each[0] for each in mine], beside=_BESIDE, baseline=[each[0] for each in theirs]),
        median_row(
            f"{name}, CPU", "s", [each[1] for each in mine], beside=_BESIDE, baseline=[each[1] for each in theirs]
        ),
        Row(f"{name}, memory afterwards", "MB", held),
    ]
