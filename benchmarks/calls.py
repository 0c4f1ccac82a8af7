"""Many HTTP calls at once: CPU time per call, and calls per second. Each caller is another tenant with its own key."""

from benchmarks.bench import CORE, Bench, Contender, Load, run_interleaved
from benchmarks.processes import Server
from benchmarks.rows import Goal, Row, median_row

_MANY = 32
_CPU, _RATE = "CPU per call, {} caller{}", "calls a second, {} caller{}"


async def measure(bench: Bench) -> list[Row]:
    everything = bench.ours("all toolsets", toolsets="all")
    contenders = [bench.ours(), bench.minimal(), everything, bench.core()]
    runs: dict[int, dict[str, list[Load]]] = {}
    async with bench.start_servers(*contenders) as servers:
        ways = list(zip(contenders, servers, strict=True))
        for callers in (1, _MANY, 128):
            some = ways if callers == _MANY else ways[:2]
            runs[callers] = await _rounds(bench, some, callers, bench.scale.calls)
    return [*_rows(runs), *await _beside_peers(bench)]


async def _rounds(
    bench: Bench, ways: list[tuple[Contender, Server]], callers: int, calls: int
) -> dict[str, list[Load]]:
    async def load(contender: Contender, server: Server, count: int) -> Load:
        era = contender.eras[-1]
        return await bench.load(bench.plan(contender, server.port, callers, count, era=era), server)

    for contender, server in ways:
        await load(contender, server, calls // 5)  # warms caches and pools
    return await run_interleaved(
        {each.name: lambda each=each, server=server: load(each, server, calls) for each, server in ways},
        bench.scale.rounds,
    )


def _rows(runs: dict[int, dict[str, list[Load]]]) -> list[Row]:
    goals = {_MANY: Goal(0.7, floor=1.0)}
    cpu = {count: {name: [load.cpu_ms for load in loads] for name, loads in runs[count].items()} for count in runs}
    return [
        *(
            median_row(
                _row_name(_CPU, count),
                "ms",
                by["ours"],
                beside="minimal",
                baseline=by["minimal"],
                goal=goals.get(count),
            )
            for count, by in cpu.items()
        ),
        median_row(
            _row_name(_CPU, 128),
            "ms",
            cpu[128]["ours"],
            beside="32 callers",
            baseline=cpu[_MANY]["ours"],
            goal=Goal(1.2),
        ),
        median_row(
            "CPU per call, 32 callers, all toolsets",
            "ms",
            cpu[_MANY]["all toolsets"],
            beside="default toolsets",
            baseline=cpu[_MANY]["ours"],
            goal=Goal(1.1),
        ),
        median_row(
            "CPU per call, 32 callers, without hosting",
            "ms",
            cpu[_MANY][CORE],
            beside="minimal",
            baseline=cpu[_MANY]["minimal"],
            goal=goals[_MANY],
        ),
        *(_rate(count, by, "minimal") for count, by in runs.items()),
    ]


def _rate(callers: int, loads: dict[str, list[Load]], beside: str) -> Row:
    ours, others = ([load.outcome.per_second for load in loads[name]] for name in ("ours", beside))
    return median_row(_row_name(_RATE, callers), "calls/s", ours, beside=beside, baseline=others)


def _row_name(name: str, callers: int) -> str:
    return name.format(callers, "" if callers == 1 else "s")


async def _beside_peers(bench: Bench) -> list[Row]:
    rows: list[Row] = []
    for peer in bench.peers:
        contenders = [bench.ours(), peer]
        async with bench.start_servers(*contenders) as servers:
            ways = list(zip(contenders, servers, strict=True))
            runs = await _rounds(bench, ways, _MANY, bench.scale.calls)
        ours, theirs = ([load.cpu_ms for load in runs[each.name]] for each in contenders)
        rows.append(median_row(_row_name(_CPU, _MANY), "ms", ours, beside=peer.name, baseline=theirs))
        rows.append(_rate(_MANY, runs, peer.name))
    return rows
