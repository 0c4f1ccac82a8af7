"""Memory over HTTP: idle, after ten thousand calls, and with five thousand connections in the vault."""

from benchmarks.bench import Bench, Contender, interleaved
from benchmarks.rows import Goal, Row, median_row
from benchmarks.tenants import connect, own_doors
from benchmarks.wire import keys

_CALLERS = 32


async def measure(bench: Bench) -> list[Row]:
    contenders = [bench.ours(), bench.minimal(), *bench.peers]
    starts = bench.scale.rounds // 2
    idle = await interleaved({each.name: lambda each=each: _idle(bench, each) for each in contenders}, starts)
    after = {each.name: await _after(bench, each) for each in contenders}
    notes = {
        each.name: f"which had {max(_CALLERS, bench.scale.load // each.slow):,} calls"
        for each in contenders
        if each.slow > 1
    }
    rows: list[Row] = []
    for name in list(idle)[1:]:
        goals = (Goal(1.2), Goal(1.3)) if name == "minimal" else (None, None)
        rows += [
            median_row("memory idle, HTTP", "MB", idle["ours"], beside=name, baseline=idle[name], goal=goals[0]),
            Row(
                "memory after the calls",
                "MB",
                after["ours"],
                name,
                after[name],
                goal=goals[1],
                note=notes.get(name, ""),
            ),
        ]
    return [*rows, await _with_connections(bench)]


async def _idle(bench: Bench, contender: Contender) -> float:
    async with bench.serving(contender) as (server,):
        await bench.load(bench.plan(contender, server.port, 1, contender.slow, era=contender.eras[0]))
        return server.rss_mb()


async def _after(bench: Bench, contender: Contender) -> float:
    async with bench.serving(contender) as (server,):
        await bench.load(bench.plan(contender, server.port, _CALLERS, bench.scale.load, era=contender.eras[-1]))
        return server.rss_mb()


async def _with_connections(bench: Bench) -> Row:
    """Each stored and called once; beside as many callers with keys in headers, so that what is left is the vault's."""
    theirs = keys(bench.scale.connections)

    async with bench.serving(bench.ours()) as (server,):
        await bench.load(await connect(bench, theirs, [server]))
        with_vault = server.rss_mb()
    async with bench.serving(bench.ours()) as (server,):
        await bench.load(own_doors(theirs, [server]))
        without_vault = server.rss_mb()
    return Row("memory with vault connections", "MB", with_vault, "as many keys in headers", without_vault)
