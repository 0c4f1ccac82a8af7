"""python -m benchmarks [NAME…] [--quick] [--json FILE] [--compare FILE] [--peers] [--openapi FILE]."""

import argparse
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from benchmarks import (
    calls,
    counting,
    embedding,
    faults,
    latency,
    memory,
    peers,
    start,
    streams,
    tokens,
    vault,
    workers,
)
from benchmarks.bench import QUICK, Bench, Scale, start_bench
from benchmarks.processes import CannotMeasure
from benchmarks.rows import Row, Saved, as_json, comparison, machine, missing_row, table

ALL: dict[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "start": start.measure,
    "latency": latency.measure,
    "calls": calls.measure,
    "counting": counting.measure,
    "streams": streams.measure,
    "embedding": embedding.measure,
    "memory": memory.measure,
    "faults": faults.measure,
    "tokens": tokens.measure,
    "vault": vault.measure,
    "workers": workers.measure,
}

_LEGEND = """\
Medians; ± is half the range of our runs. A ratio is our figure divided by the baseline's; both are measured in turns.
Beside "uncounted", runs are paired: the ratio is the median of the pairs' ratios, and ± its standard error.
minimal: one tool written with the SDK, with its defaults: asyncio's event loop and h11 (benchmarks/minimal.py).
ours: `mistral-mcp` and `mistral-mcp serve` as installed here; each caller has its own key.\
"""


@dataclass(frozen=True)
class Options:
    names: list[str]
    quick: bool
    json: Path | None
    compare: Path | None
    peers: bool
    openapi: Path | None


def options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure beside a baseline.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(ALL)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer calls, but every row")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the rows to this file; -: print only these"
    )
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show the changes since this --json")
    parser.add_argument("--peers", action="store_true", help="install other servers, and compare with them")
    parser.add_argument(
        "--openapi", type=Path, metavar="FILE", help="Mistral's OpenAPI file, for FastMCP.from_openapi"
    )
    found = Options(**vars(parser.parse_args(arguments)))
    if unknown := set(found.names) - set(ALL):
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}")
    return found


async def measure_all(chosen: Options) -> tuple[list[Row], list[str]]:
    """The rows, and the problems that occurred."""
    rows: list[Row] = []
    scale = QUICK if chosen.quick else Scale()
    with tempfile.TemporaryDirectory() as folder:
        load = os.getloadavg()[0]
        async with start_bench(scale, Path(folder)) as bench:
            found, missing = [], peers.not_requested()
            if chosen.peers:
                found, missing = await peers.install(bench, chosen.openapi)
            bench = replace(bench, peers=found)  # noqa: PLW2901 - the same one, complete

            if load > 0.5:  # noqa: PLR2004 - processes; a quiet machine has none
                bench.problems.append(f"the machine was busy at the start: its load average was {load:.1f}")

            for name in chosen.names or ALL:
                began = time.monotonic()
                try:
                    rows += await ALL[name](bench)
                except CannotMeasure as why:
                    rows.append(missing_row(name, "", "", str(why)))
                print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            rows += [missing_row("everything beside a peer", "", peer, why) for peer, why in missing.items()]
            return rows, bench.problems


def main() -> None:
    chosen = options(sys.argv[1:])
    logging.basicConfig(level=logging.WARNING)  # before the SDK configures logging, which would log every request
    # A thousand streams need two thousand sockets.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    then = Saved.read(chosen.compare) if chosen.compare else None
    rows, problems = anyio.run(measure_all, chosen)
    text = as_json(rows, problems, quick=chosen.quick)
    if chosen.json == Path("-"):
        print(text)
        return

    versions = ", ".join(f"{name} {version}" for name, version in machine().items())
    print("\n".join([table(rows), "", _LEGEND, versions]))
    for problem in problems:
        print(f"! {problem}")
    if then is not None:
        print("\n" + comparison(then, rows, quick=chosen.quick))
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
