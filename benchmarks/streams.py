"""Streams: the time to the first progress, the CPU time of a chunk, and a thousand streams at once."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import anyio

from benchmarks.bare import Task, Usage
from benchmarks.bench import Bench, Contender, Load, run_interleaved
from benchmarks.plans import Plan, percentile
from benchmarks.processes import LineProcess, Server, python, start_process
from benchmarks.rows import Goal, Row, median_row
from benchmarks.wire import direct, keys, mcp, question

_STREAMS = 8
_GAP = 2  # milliseconds between chunks, so that they arrive one by one, as from a model

_PROGRESS = "notifications/progress"


async def measure(bench: Bench) -> list[Row]:
    ours, minimal = bench.ours(), _minimal(bench)
    async with bench.start_servers(ours, minimal) as (our_server, minimal_server):
        first = await _first_progress(bench, our_server, minimal_server)
        chunks = [
            *await _cost_of_chunks(
                bench, our_server, minimal_server, gap=_GAP, how="one at a time", goal=Goal(1.5)
            ),
            *await _cost_of_chunks(bench, our_server, minimal_server, gap=0, how="all at once", goal=Goal(1.5)),
        ]
    return [*first, *chunks, *await _open_at_once(bench)]


def _minimal(bench: Bench) -> Contender:
    """The minimal server that streams."""

    def command(port: int) -> list[str]:
        return python("-m", "benchmarks.minimal_streaming", bench.upstream.url, str(port))

    return replace(bench.minimal(), name="minimal, streaming", http=command)


def _plan(port: int, callers: int, calls: int, prompt: str) -> Plan:
    """Callers that ask for progress, each with its own key. The answer repeats one word."""
    targets = [
        mcp(
            port,
            "mistral_chat",
            {"prompt": prompt},
            era="2026-07-28",
            key=key,
            reports_progress=True,
            expect=" word word",
        )
        for key in keys(callers)
    ]
    return Plan(targets=targets, callers=callers, calls=calls, first=_PROGRESS)


async def _first_progress(bench: Bench, ours: Server, minimal: Server) -> list[Row]:
    prompt = "stream 3 1"
    calls = max(bench.scale.sequential // 4, 20)
    body = question(prompt) | {"stream": True}
    chunk = direct(bench.upstream.port, body, expect="[DONE]")
    plans = {
        "ours": _plan(ours.port, 1, calls, prompt),
        "minimal, streaming": _plan(minimal.port, 1, calls, prompt),
        "direct call's first chunk": Plan(targets=[chunk], callers=1, calls=calls, first="data:"),
    }
    ways = {name: lambda plan=plan: bench.load(plan) for name, plan in plans.items()}
    await run_interleaved(ways, 1)
    runs = await run_interleaved(ways, bench.scale.rounds)
    times = {name: [percentile(load.outcome.firsts, 50) * 1000 for load in loads] for name, loads in runs.items()}
    return [
        median_row("time to first progress", "ms", times["ours"], beside=name, baseline=times[name])
        for name in times
        if name != "ours"
    ]


async def _cost_of_chunks(
    bench: Bench, ours: Server, minimal: Server, *, gap: int, how: str, goal: Goal
) -> list[Row]:
    task = Task(streams=_STREAMS, chunks=bench.scale.chunks, gap=gap)
    chunks = task.streams * task.chunks
    prompt = f"stream {task.chunks} {gap}"

    async def cost_of_server(server: Server) -> float:
        load = await bench.load(_plan(server.port, _STREAMS, _STREAMS, prompt), server)
        return load.cpu_ms * _STREAMS / chunks * 1000

    async def cost_of_client(client: LineProcess) -> float:
        return (await ask(client, task)).cpu_seconds / chunks * 1e6

    async with start_process(python("-m", "benchmarks.bare", bench.upstream.url), {}) as client:
        ways = {
            "ours": lambda: cost_of_server(ours),
            "minimal, streaming": lambda: cost_of_server(minimal),
            "parsing, no server": lambda: cost_of_client(client),
        }
        await run_interleaved(ways, 1)
        runs = await run_interleaved(ways, bench.scale.rounds)
    name = f"CPU per chunk, {how}"
    return [
        median_row(name, "µs", runs["ours"], beside=other, baseline=runs[other], goal=wanted)
        for other, wanted in (("parsing, no server", goal), ("minimal, streaming", None))
    ]


async def ask(client: LineProcess, task: Task) -> Usage:
    await client.send_line(task.model_dump_json().encode())
    return Usage.model_validate_json(await client.read_line())


@dataclass
class _Peak:
    mb: float = 0.0


@contextlib.asynccontextmanager
async def track_peak_memory(server: Server) -> AsyncGenerator[_Peak]:
    """The peak of the server's memory within this context."""
    peak = _Peak(server.rss_mb())

    async def look() -> None:
        while True:
            peak.mb = max(peak.mb, server.rss_mb())
            await anyio.sleep(0.1)

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        yield peak
        group.cancel_scope.cancel()


async def _open_at_once(bench: Bench) -> list[Row]:
    """Streams that all start at the same moment: how late is the first progress of the last ones?"""
    streams = bench.scale.streams
    # The first chunk comes at once, the others while all streams are open.
    prompt = f"stream {bench.scale.seconds_open + 1} 1000"
    found: dict[str, tuple[Load, float, float]] = {}
    for contender in (_minimal(bench), bench.ours()):
        async with bench.start_servers(contender) as (server,):
            await bench.load(_plan(server.port, 1, 5, "stream 3 1"))
            idle = server.rss_mb()
            async with track_peak_memory(server) as peak:
                load = await bench.load(_plan(server.port, streams, streams, prompt), server)
            found[contender.name] = load, idle, peak.mb
    (ours, ours_idle, ours_most), (minimal, minimal_idle, minimal_most) = (
        found["ours"],
        found["minimal, streaming"],
    )
    beside = "minimal, streaming"
    middle, late = (percentile(ours.outcome.firsts, percent) * 1000 for percent in (50, 99))
    minimal_late = percentile(minimal.outcome.firsts, 99) * 1000
    errors, each = float(ours.outcome.error_count), 1000 / streams
    return [
        Row(
            "open streams: errors", "", errors, beside, float(minimal.outcome.error_count), goal=Goal(0, of="ours")
        ),
        Row("open streams: first progress, p99", "ms", late, "its own p50", middle, goal=Goal(3)),
        Row("open streams: first progress, p99", "ms", late, beside, minimal_late),
        Row("open streams: memory", "MB", ours_most, beside, minimal_most),
        Row(
            "open streams: memory for each",
            "kB",
            (ours_most - ours_idle) * each,
            beside,
            (minimal_most - minimal_idle) * each,
        ),
        Row("open streams: CPU for each", "ms", ours.cpu_ms, beside, minimal.cpu_ms),
    ]
