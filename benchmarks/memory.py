"""Memory over HTTP: idle, after ten thousand calls, and with five thousand connections in the vault."""

from benchmarks.bench import CORE, Bench, Contender, run_interleaved
from benchmarks.rows import Goal, Row, median_row
from benchmarks.tenants import create_connections, plan_with_own_keys
from benchmarks.wire import keys

_CALLERS = 32


async def measure(bench: Bench) -> list[Row]:
    contenders = [bench.ours(), bench.core(), bench.minimal(), *bench.peers]
    starts = bench.scale.rounds // 2
    idle = await run_interleaved({each.name: lambda each=each: _idle(bench, each) for each in contenders}, starts)
    after = {each.name: await _after(bench, each) for each in contenders}
    notes = {
        each.name: f"which had {max(_CALLERS, bench.scale.load // each.slowdown):,} calls"
        for each in contenders
        if each.slowdown > 1
    }
    rows: list[Row] = []
    pairs = [("ours", "minimal"), (CORE, "minimal"), *(("ours", peer.name) for peer in bench.peers)]
    for ours, beside in pairs:
        which = ", without hosting" if ours == CORE else ""
        after_calls = Goal(1.3 if ours == CORE else 1.4)
        goals = (Goal(1.2), after_calls) if beside == "minimal" else (None, None)
        rows += [
            median_row(
                f"memory idle, HTTP{which}", "MB", idle[ours], beside=beside, baseline=idle[beside], goal=goals[0]
            ),
            Row(
                f"memory after the calls{which}",
                "MB",
                after[ours],
                beside,
                after[beside],
                goal=goals[1],
                note=notes.get(beside, ""),
            ),
        ]
    return [*rows, await _with_connections(bench)]


async def _idle(bench: Bench, contender: Contender) -> float:
    async with bench.start_servers(contender) as (server,):
        await bench.load(bench.plan(contender, server.port, 1, contender.slowdown, era=contender.eras[0]))
        return server.rss_mb()


async def _after(bench: Bench, contender: Contender) -> float:
    async with bench.start_servers(contender) as (server,):
        await bench.load(bench.plan(contender, server.port, _CALLERS, bench.scale.load, era=contender.eras[-1]))
        return server.rss_mb()


async def _with_connections(bench: Bench) -> Row:
    """The memory after one call with each connection, beside that with as many keys in headers: the rest is the vault's."""
    theirs = keys(bench.scale.connections)

    async with bench.start_servers(bench.ours()) as (server,):
        await bench.load(await create_connections(bench, theirs, [server]))
        with_vault = server.rss_mb()
    async with bench.start_servers(bench.ours()) as (server,):
        await bench.load(plan_with_own_keys(theirs, [server]))
        without_vault = server.rss_mb()
    return Row("memory with vault connections", "MB", with_vault, "as many keys in headers", without_vault)
