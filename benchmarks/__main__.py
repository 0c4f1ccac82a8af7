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
from benchmarks.bench import QUICK, Bench, Scale, opened
from benchmarks.processes import CannotMeasure
from benchmarks.rows import Row, Saved, as_json, comparison, machine, not_measured, table

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
Medians; ± is half the range of our runs. Ratios are ours to the baseline's of the same run, taken in turns.
minimal: one tool on the SDK as `pip install mcp` gives it: its defaults, asyncio's loop, h11 (benchmarks/minimal.py).
ours: `mistral-mcp` and `mistral-mcp serve` as installed here, each caller with a key of its own.\
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Figures beside a baseline's.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(ALL)}; default: all")
    parser.add_argument("--quick", action="store_true", help="less of everything, and every row")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the rows there too; -: print them instead"
    )
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show what changed since that --json")
    parser.add_argument("--peers", action="store_true", help="install the peers apart, and measure beside them")
    parser.add_argument(
        "--openapi", type=Path, metavar="FILE", help="Mistral's OpenAPI file, for FastMCP.from_openapi"
    )
    found = Options(**vars(parser.parse_args(arguments)))
    if unknown := set(found.names) - set(ALL):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    return found


async def measured(asked: Options) -> tuple[list[Row], list[str]]:
    """The rows, and what went wrong on the way."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        others = os.getloadavg()[0]
        async with opened(QUICK if asked.quick else Scale(), Path(folder)) as bench:
            found, missing = (
                await peers.installed(bench, asked.openapi) if asked.peers else ([], peers.not_asked_for())
            )
            bench = replace(bench, peers=found)  # noqa: PLW2901 - the same one, complete
            if others > 0.5:  # noqa: PLR2004 - processes; a quiet machine has none
                bench.troubles.append(f"{others:.1f} other processes wanted a processor when this began")
            for name in asked.names or ALL:
                began = time.monotonic()
                try:
                    rows += await ALL[name](bench)
                except CannotMeasure as why:
                    rows.append(not_measured(name, "", "", str(why)))
                print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            rows += [not_measured("everything beside a peer", "", peer, why) for peer, why in missing.items()]
            return rows, bench.troubles


def main() -> None:
    asked = options(sys.argv[1:])
    logging.basicConfig(level=logging.WARNING)  # before the SDK does, which would tell of every request
    # A thousand streams are two thousand sockets.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    then = Saved.read(asked.compare) if asked.compare else None
    rows, troubles = anyio.run(measured, asked)
    text = as_json(rows, troubles, quick=asked.quick)
    if asked.json == Path("-"):
        print(text)
        return
    print(
        "\n".join(
            [table(rows), "", _LEGEND, ", ".join(f"{name} {version}" for name, version in machine().items())]
        )
    )
    for trouble in troubles:
        print(f"! {trouble}")
    if then is not None:
        print("\n" + comparison(then, rows, quick=asked.quick))
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
