"""The benchmarks run, and report all rows that they promise. Their figures are not tested."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("benchmarks.tokens", reason="the benchmarks are not here, or mistral-common is not")

from benchmarks.rows import Goal, Row, Saved, as_json, comparison, median_row, missing_row, paired_row, table
from tests.conftest import pairs_of, skip_without

ROOT = Path(__file__).parents[2]


def test_a_row_has_the_medians_their_ratio_and_whether_the_goal_is_met() -> None:
    row = median_row("start", "ms", [90, 110, 100], beside="minimal", baseline=[200, 50, 80], goal=Goal(1.15))

    assert (row.ours, row.baseline, row.ratio, row.spread) == (100, 80, 1.25, 0.1)
    assert row.verdict == "MISSED"
    assert median_row("start", "ms", [90], beside="minimal", baseline=[80], goal=Goal(1.15)).verdict == "met"


def test_paired_runs_are_compared_pair_by_pair_so_that_one_disturbed_run_changes_little() -> None:
    row = paired_row("calls", "ms", [104, 300, 416], beside="uncounted", baseline=[100, 200, 400], goal=Goal(1.05))

    assert (row.ours, row.baseline, row.ratio, row.verdict) == (300, 200, 1.04, "met")


def test_a_paired_ratio_says_how_far_it_may_be_off() -> None:
    noisy = paired_row("calls", "ms", [100, 106, 112], beside="uncounted", baseline=[100] * 3, goal=Goal(1.05))
    steady = paired_row("calls", "ms", [104, 208, 416], beside="uncounted", baseline=[100, 200, 400])

    assert (noisy.ratio, noisy.verdict) == (1.06, "MISSED")
    assert noisy.spread == pytest.approx(0.064, abs=0.001)
    assert steady.spread == 0


@pytest.mark.parametrize(
    ("goal", "ours", "verdict"),
    [
        (Goal(0.7, floor=1.0), 70.0, "met"),
        (Goal(0.7, floor=1.0), 99.0, "floor only"),
        (Goal(0.7, floor=1.0), 101.0, "MISSED"),
        (Goal(0.9, at="least"), 90.0, "met"),
        (Goal(0.9, at="least"), 89.0, "MISSED"),
        (Goal(0, of="ours"), 0.0, "met"),
        (Goal(0, of="ours"), 1.0, "MISSED"),
    ],
)
def test_a_goal_is_of_the_ratio_or_of_our_figure_at_most_or_at_least(
    goal: Goal, ours: float, verdict: str
) -> None:
    assert Row("a", "ms", ours, "b", 100, goal=goal).verdict == verdict


def test_what_could_not_be_measured_says_why_and_misses_no_goal() -> None:
    row = missing_row("vault on Postgres", "calls/s", "keys in headers", "Postgres is not there")

    assert (row.ratio, row.verdict) == (None, "")
    assert "not measured: Postgres is not there" in table([row])


def test_an_earlier_run_is_compared_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "then.json"
    file.write_text(as_json([Row("a", "ms", 10, "b", 5), Row("gone", "ms", 1)], quick=True), encoding="utf-8")

    shown = comparison(Saved.read(file), [Row("a", "ms", 5, "b", 5), Row("new", "ms", 1)], quick=False)

    [warning, _, line] = shown.splitlines()
    assert "--quick" in warning
    assert line.split() == ["a", "ms", "10", "5", "-50%", "2.00x", "1.00x", "b"]


EXPECTED = {
    "start to tools/list, stdio": ["minimal"],
    "start to tools/list, stdio, all toolsets": ["ours"],
    "start to tools/list, stdio, CPU": ["minimal"],
    "memory idle, stdio": ["minimal"],
    "added latency, stdio": ["minimal"],
    "whole latency, stdio": ["direct call"],
    "added latency, HTTP 2025-11-25 (initialize)": ["minimal"],
    "whole latency, HTTP 2025-11-25 (initialize)": ["direct call"],
    "added latency, HTTP 2026-07-28 (stateless)": ["minimal"],
    "whole latency, HTTP 2026-07-28 (stateless)": ["direct call"],
    "CPU per call, 1 caller": ["minimal"],
    "CPU per call, 32 callers": ["minimal"],
    "CPU per call, 128 callers": ["minimal", "32 callers"],
    "CPU per call, 32 callers, all toolsets": ["default toolsets"],
    "CPU per call, 32 callers, without hosting": ["minimal"],
    "calls a second, 1 caller": ["minimal"],
    "calls a second, 32 callers": ["minimal"],
    "calls a second, 128 callers": ["minimal"],
    "CPU per call, 32 callers, with usage, budgets, audit lines and metrics": ["uncounted"],
    "p99 of a call, 32 callers, counted": ["uncounted"],
    "calls a second, counted": ["uncounted"],
    "time to first progress": ["minimal, streaming", "direct call's first chunk"],
    "CPU per chunk, one at a time": ["parsing, no server", "minimal, streaming"],
    "CPU per chunk, all at once": ["parsing, no server", "minimal, streaming"],
    "open streams: errors": ["minimal, streaming"],
    "open streams: first progress, p99": ["its own p50", "minimal, streaming"],
    "open streams: memory": ["minimal, streaming"],
    "open streams: memory for each": ["minimal, streaming"],
    "open streams: CPU for each": ["minimal, streaming"],
    "3,000-input embedding": ["direct calls, no server"],
    "3,000-input embedding, CPU": ["direct calls, no server"],
    "3,000-input embedding, memory afterwards": [""],
    "memory idle, HTTP": ["minimal"],
    "memory after the calls": ["minimal"],
    "memory idle, HTTP, without hosting": ["minimal"],
    "memory after the calls, without hosting": ["minimal"],
    "memory with vault connections": ["as many keys in headers"],
    "memory after the calls, with faults": ["after a tenth of them"],
    "tools/list, default toolsets": [""],
    "tools/list, default toolsets, whole": [""],
    "tools/list, all toolsets": [""],
    "tools/list, all toolsets, whole": [""],
    "vault on SQLite, two replicas": ["keys in headers"],
    "vault on SQLite, two replicas, CPU per call": ["keys in headers"],
    "vault on Postgres, two replicas": ["keys in headers"],
    "vault on Postgres, two replicas, CPU per call": ["keys in headers"],
    "two workers, 32 callers": ["one worker"],
    "two workers, 1 caller, p90": ["one worker"],
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_suite_runs_quickly_and_every_row_is_there(tmp_path: Path) -> None:
    file = tmp_path / "now.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603

    assert ran.returncode == 0, ran.stderr
    report = json.loads(file.read_bytes())
    rows = [row for row in report["rows"] if row["name"] != "everything beside a peer"]
    assert [(row["name"], row["beside"]) for row in rows] == list(pairs_of(EXPECTED))
    for row in rows:
        if row["note"] == "not measured: Postgres is not there":
            skip_without("Postgres")
        assert not row["note"], row
        assert all(math.isfinite(row[figure]) for figure in ("ours", *(["baseline"] if row["beside"] else []))), (
            row
        )
    assert not [trouble for trouble in report["troubles"] if "calls failed" in trouble]
