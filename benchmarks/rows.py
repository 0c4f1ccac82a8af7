"""The rows of the report: our figure, the baseline's, and perhaps a goal; and their formats."""

import json
import math
import platform
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import BaseModel


@dataclass(frozen=True)
class Goal:
    """The limit of a ratio or of our figure. `floor` is the limit that must hold even if the goal is missed."""

    limit: float
    of: Literal["ratio", "ours"] = "ratio"
    at: Literal["most", "least"] = "most"
    floor: float | None = None

    def __str__(self) -> str:
        sign = "≤" if self.at == "most" else "≥"
        if self.of == "ours":
            return f"{sign}{self.limit:,.0f}"
        if self.floor is None:
            return f"{sign}{self.limit:.2f}x"
        return f"{sign}{self.limit:.2f}x (floor {self.floor:.2f}x)"

    def verdict(self, row: "Row") -> str:
        value = row.ratio if self.of == "ratio" else row.ours
        if value is None:
            return ""
        if self._holds(value, self.limit):
            return "met"
        if self.floor is not None and self._holds(value, self.floor):
            return "floor only"
        return "MISSED"

    def _holds(self, value: float, limit: float) -> bool:
        if self.at == "most":
            return value <= limit
        return value >= limit


@dataclass(frozen=True)
class Row:
    """One line of the table. `name` and `beside` together identify it, also in an earlier run."""

    name: str
    unit: str
    ours: float | None
    beside: str = ""
    """The name of the baseline."""
    baseline: float | None = None
    spread: float | None = None
    """(largest - smallest) / 2 / median of our runs; of paired runs, the standard error of their ratio."""
    goal: Goal | None = None
    note: str = ""
    """The reason for a missing figure, or a remark."""
    paired_ratio: float | None = None
    """The median of the ratios of pairs of runs, each right after the other."""

    @property
    def ratio(self) -> float | None:
        """Our figure divided by the baseline's, unless runs were paired."""
        if self.paired_ratio is not None:
            return self.paired_ratio
        return self.ours / self.baseline if self.ours is not None and self.baseline else None

    @property
    def verdict(self) -> str:
        return self.goal.verdict(self) if self.goal else ""


def median_row(
    name: str,
    unit: str,
    ours: Sequence[float],
    *,
    beside: str = "",
    baseline: Sequence[float] = (),
    goal: Goal | None = None,
    note: str = "",
) -> Row:
    """A row with the medians of our runs and of the baseline's."""
    middle = statistics.median(ours)
    spread = (max(ours) - min(ours)) / 2 / middle if middle and len(ours) > 1 else None
    return Row(name, unit, middle, beside, statistics.median(baseline) if baseline else None, spread, goal, note)


def paired_row(
    name: str,
    unit: str,
    ours: Sequence[float],
    *,
    beside: str,
    baseline: Sequence[float],
    goal: Goal | None = None,
) -> Row:
    """A row for a difference that is smaller than what the machine's noise does to medians: run by run, beside its pair."""
    ratios = [mine / other for mine, other in zip(ours, baseline, strict=True)]
    lower, ratio, upper = statistics.quantiles(ratios)
    # A median's, where the ratios are spread normally: 1.35 deviations lie between the quartiles.
    standard_error = 1.253 * (upper - lower) / 1.349 / math.sqrt(len(ratios))
    return Row(
        name,
        unit,
        statistics.median(ours),
        beside,
        statistics.median(baseline),
        standard_error,
        goal,
        paired_ratio=ratio,
    )


def missing_row(name: str, unit: str, beside: str, why: str) -> Row:
    return Row(name, unit, None, beside, note=f"not measured: {why}")


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("", lambda row: row.name),
    ("ours", lambda row: _figure(row.ours)),
    ("±", lambda row: _percentage(row.spread)),
    ("baseline", lambda row: _figure(row.baseline)),
    ("unit", lambda row: row.unit),
    ("ratio", lambda row: _multiple(row.ratio)),
    ("goal", lambda row: str(row.goal or "")),
    ("", lambda row: row.verdict),
    ("beside", lambda row: row.beside),
    ("", lambda row: row.note),
)


def _percentage(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _multiple(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(rows: Iterable[Row]) -> str:
    """The rows as columns for a terminal: words aligned left, figures right."""
    return _align(
        [
            [name for name, _ in _COLUMNS],
            *([show(row) for _, show in _COLUMNS] for row in rows),
        ]
    )


def _align(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numbers = {index for index, title in enumerate(lines[0]) if title in _NUMBERS}
    return "\n".join(_align_line(line, widths, numbers) for line in lines)


def _align_line(line: Sequence[str], widths: Sequence[int], numbers: AbstractSet[int]) -> str:
    cells: list[str] = []
    for index, (cell, width) in enumerate(zip(line, widths, strict=True)):
        justify = cell.rjust if index in numbers else cell.ljust
        cells.append(justify(width))
    return "  ".join(cells).rstrip()


_NUMBERS = {"ours", "±", "baseline", "ratio", "then", "now", "change", "ratio then", "ratio now"}


class Saved(BaseModel):
    """An earlier run, as `--json` has written it."""

    class Line(BaseModel):
        name: str
        beside: str = ""
        unit: str = ""
        ours: float | None = None
        baseline: float | None = None
        ratio: float | None = None

    quick: bool
    machine: dict[str, str]
    rows: list[Line]

    @classmethod
    def read(cls, file: Path) -> "Saved":
        return cls.model_validate_json(file.read_bytes())


def as_json(rows: Sequence[Row], problems: Sequence[str] = (), *, quick: bool) -> str:
    lines = [{**asdict(row), "ratio": row.ratio, "verdict": row.verdict} for row in rows]
    return json.dumps({"quick": quick, "machine": machine(), "troubles": [*problems], "rows": lines}, indent=1)


def machine() -> dict[str, str]:
    """The versions that the figures depend on."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in ("mistral-mcp", "mcp", "httpx2", "uvicorn", "pydantic", "aiohttp", "uvloop"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def comparison(then: Saved, rows: Iterable[Row], *, quick: bool) -> str:
    """Each figure then and now. The ratios are more reliable: the baseline ran on the same machine at the same time."""
    before = {(line.name, line.beside): line for line in then.rows}
    lines = [["", "unit", "then", "now", "change", "ratio then", "ratio now", "beside"]]
    lines.extend(_changes(before, rows))
    if then.quick == quick:
        return _align(lines)
    return f"One run was --quick and the other was not: their figures differ by that.\n{_align(lines)}"


def _changes(before: Mapping[tuple[str, str], Saved.Line], rows: Iterable[Row]) -> Iterator[list[str]]:
    for row in rows:
        old = before.get((row.name, row.beside))
        if old is None or old.ours is None or row.ours is None:
            continue
        change = f"{row.ours / old.ours - 1:+.0%}" if old.ours else ""
        ratios = [_multiple(old.ratio), _multiple(row.ratio)]
        yield [row.name, row.unit, _figure(old.ours), _figure(row.ours), change, *ratios, row.beside]
