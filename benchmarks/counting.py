"""The cost of usage, budgets, an audit line and metrics for each call, compared with the same process without them."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import anyio

from benchmarks.bench import Bench, Load, run_interleaved
from benchmarks.plans import percentile
from benchmarks.processes import Server, python
from benchmarks.rows import Goal, Row, paired_row
from benchmarks.switched import STATE

_CALLERS = 32
_PAIRS = 32
"""For each round, of short runs: the difference is so small that both states must see the same noise of the machine, which
lasts seconds."""
_STATES = ("on", "off")
_BESIDE = "uncounted"
_NAME = "CPU per call, 32 callers, with usage, budgets, audit lines and metrics"
_P99 = "p99 of a call, 32 callers, counted"


async def measure(bench: Bench) -> list[Row]:
    state_file = bench.new_folder() / "state"
    limits = {"budget_usd": 1000, "budget_calls_per_day": 1_000_000}
    ours = bench.ours("counted", log_level="INFO", **limits)

    def command(port: int) -> Sequence[str]:
        return python("-m", "benchmarks.switched", "serve", "--port", str(port))

    contender = replace(ours, http=command, environment={**ours.environment, STATE: str(state_file)})
    async with bench.start_servers(contender) as (server,):
        accounting = _Switch(server, state_file)

        async def load(wanted: str, calls: int) -> Load:
            if accounting.state != wanted:
                await accounting.switch()
            # What is left of counted calls is done while it is switched off, and belongs to them.
            return await bench.load(
                bench.plan(contender, server.port, _CALLERS, calls), server, finish=accounting.switch
            )

        for state in _STATES:
            await load(state, bench.scale.calls // 2)  # warms caches and pools
        runs = await run_interleaved(
            {state: partial(load, state, bench.scale.calls // 4) for state in _STATES},
            bench.scale.rounds * _PAIRS,
        )

    def row(name: str, unit: str, figure: Callable[[Load], float], goal: Goal | None = None) -> Row:
        ours, theirs = ([figure(each) for each in runs[state]] for state in _STATES)
        return paired_row(name, unit, ours, beside=_BESIDE, baseline=theirs, goal=goal)

    return [
        row(_NAME, "ms", lambda each: each.cpu_ms, Goal(1.05)),
        row(_P99, "ms", lambda each: percentile(each.outcome.latencies, 99) * 1000, Goal(1.05)),
        row("calls a second, counted", "calls/s", lambda each: each.outcome.per_second),
    ]


@dataclass
class _Switch:
    """Switches the accounting of a running `benchmarks.switched`."""

    server: Server
    file: Path
    state: Literal["on", "off"] = "on"

    async def switch(self) -> None:
        self.state = "off" if self.state == "on" else "on"
        os.kill(self.server.pid, signal.SIGUSR1)
        with anyio.fail_after(30):
            while not self.file.exists() or self.file.read_text(encoding="ascii") != self.state:  # noqa: ASYNC110 - another process's
                await anyio.sleep(0.001)
