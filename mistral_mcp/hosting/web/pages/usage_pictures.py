"""A connection's usage as two bar charts: by day, and by model.

They are inline SVG, without script, style or meaning in colours: every bar has its figure next to it or in the table below.
Lengths are in units of the chart's grid, which the page scales.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mistral_mcp.hosting.web.pages.languages import Language, format_number
from mistral_mcp.usage.answer import UsageAnswer, Used

WIDTH = 360
_BARS_HIGH = 110
_BARS_TOP = 22
_BAR_SHARE = 0.7
_EVERY = 5  # days between two labels
_LONGEST_BAR = 250
_ROW_HIGH = 44
_MOST_ROWS = 8
_FEW_DOLLARS = 1
_LEAST = 0.0001  # dollars


@dataclass(frozen=True)
class Bar:
    """The bar of one day or one model; `figure` is its value as text."""

    name: str
    figure: str
    x: float
    y: float
    width: float
    height: float
    label: str = ""
    """Label below a day's bar; empty if there is no room."""


@dataclass(frozen=True)
class Picture:
    bars: Sequence[Bar]
    height: float
    highest: str = ""
    """The figure at the top of a chart of days."""


@dataclass(frozen=True)
class UsagePictures:
    shows_cost: bool
    """Whether the bars show dollars; else calls, if nothing had a price."""
    days: Picture
    models: Picture


def draw(answer: UsageAnswer, language: Language) -> UsagePictures:
    """The charts of a month with at least one call."""
    shows_cost = answer["month"]["cost_usd"] > 0

    def measure(used: Used) -> tuple[float, str]:
        if shows_cost:
            return used["cost_usd"], format_dollars(used["cost_usd"], language)
        return used["calls"], format_number(used["calls"], 0, language)

    by_day = {date.fromisoformat(row["day"]): measure(row) for row in answer["by_day"]}
    by_model = [(row["model"], *measure(row)) for row in answer["by_model"]]
    return UsagePictures(shows_cost, _draw_days(by_day), _draw_models(by_model))


def _draw_days(measured: dict[date, tuple[float, str]]) -> Picture:
    """Every day from the first of the month to the last with calls, at least ten, so that bars stay narrow."""
    last = max(measured).day
    days = max(last, 2 * _EVERY)
    highest, figure = max(measured.values())
    by_number = {day.day: (day, *amount) for day, amount in measured.items()}
    step = WIDTH / days
    bars: list[Bar] = []
    for number in range(1, days + 1):
        label = ""
        if number == 1 or number % _EVERY == 0:
            label = str(number)
        day, amount, words = by_number.get(number, (None, 0.0, ""))
        height = _scale(amount, highest, _BARS_HIGH)
        x = (number - 1 + (1 - _BAR_SHARE) / 2) * step
        y = _BARS_TOP + _BARS_HIGH - height
        name = day.isoformat() if day else ""
        bars.append(Bar(name, words, round(x, 1), round(y, 1), round(step * _BAR_SHARE, 1), height, label))
    return Picture(bars, _BARS_TOP + _BARS_HIGH + 24, figure)


def _draw_models(measured: Sequence[tuple[str, float, str]]) -> Picture:
    """The most expensive models; the table has the others too."""
    rows = measured[:_MOST_ROWS]
    highest = max((amount for _, amount, _ in rows), default=0.0)
    bars = [
        Bar(name, figure, 0, place * _ROW_HIGH + 20, _scale(amount, highest, _LONGEST_BAR), 14)
        for place, (name, amount, figure) in enumerate(rows)
    ]
    return Picture(bars, len(rows) * _ROW_HIGH)


def _scale(amount: float, highest: float, longest: float) -> float:
    """The length of a bar; small amounts stay visible."""
    if amount <= 0 or highest <= 0:
        return 0
    return round(max(amount / highest * longest, 2), 1)


def format_amount(amount: float, language: Language) -> str:
    """Dollars with two decimals, or four if the amount is small."""
    if amount >= _FEW_DOLLARS or amount == 0:
        return format_number(amount, 2, language)
    if amount < _LEAST:
        return f"< {format_number(_LEAST, 4, language)}"
    return format_number(amount, 4, language)


def format_dollars(amount: float, language: Language) -> str:
    return f"{format_amount(amount, language)} USD"
