"""The usage answer: what a connection used today and this month, and what is left of its budget.

`GET /connections/current/usage`, `mistral://usage`, `/manage` and `mistral-mcp connections usage` all show it. Days and
months are those of UTC; `by_day`, `by_tool` and `by_model` divide the month.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypedDict, TypeVar

from mistral_mcp.usage.sums import DOLLAR, Key, Sums, add_all

NumberT = TypeVar("NumberT", int, float)


class Used(TypedDict):
    """The usage of some calls, added up."""

    calls: int
    """Failed ones included."""
    errors: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    pages: int
    seconds: float
    """Of audio."""
    characters: int
    cost_usd: float
    """Without what has no known price."""


class UsedByDay(Used):
    day: str
    """As YYYY-MM-DD."""


class UsedByTool(Used):
    tool: str


class UsedByModel(Used):
    """A call that used several models is counted for each of them."""

    model: str


class Budget(TypedDict):
    """The limits in force, and what is left of them; None: no such limit."""

    budget_usd: float | None
    budget_calls_per_day: int | None
    left_usd: float | None
    left_calls: int | None
    resets_at: str
    """When calls are possible again, or else when the first limit resets; ISO 8601, in UTC."""


class UsageAnswer(TypedDict):
    """What a connection has used."""

    today: Used
    month: Used
    budget: Budget | None
    """None: no limits."""
    by_day: list[UsedByDay]
    """The days of this month that had calls, the oldest first."""
    by_tool: list[UsedByTool]
    """The most expensive first; for equal costs, the most used."""
    by_model: list[UsedByModel]


class Limits(NamedTuple):
    """A monthly budget in US dollars and a daily number of calls; None: no limit."""

    budget_usd: float | None = None
    budget_calls_per_day: int | None = None

    @property
    def exist(self) -> bool:
        return self.budget_usd is not None or self.budget_calls_per_day is not None

    def lower_of(self, other: "Limits") -> "Limits":
        """The lower of each."""
        if not other.exist:
            return self
        return Limits(
            _lower(self.budget_usd, other.budget_usd),
            _lower(self.budget_calls_per_day, other.budget_calls_per_day),
        )


NO_LIMITS = Limits()


def usage_answer(rows: Mapping[Key, Sums], limits: Limits, now: datetime) -> UsageAnswer:
    """The usage answer from this month's rows."""
    day = day_of(now)
    today = add_all(sums for key, sums in rows.items() if key.day == day)
    month = add_all(rows.values())
    days = sorted(_group(rows, lambda key: key.day).items())
    tools = _dearest(_group(rows, lambda key: key.tool))
    models = _dearest(_group(rows, lambda key: key.model))
    return UsageAnswer(
        today=_usage_fields(today),
        month=_usage_fields(month),
        budget=remaining_budget(limits, month.cost, today.calls, now),
        by_day=[{**_usage_fields(sums), "day": name} for name, sums in days],
        by_tool=[{**_usage_fields(sums), "tool": name} for name, sums in tools],
        by_model=[_usage_of_model(name, sums) for name, sums in models if name],
    )


def remaining_budget(limits: Limits, cost_this_month: int, calls_today: int, now: datetime) -> Budget | None:
    """What is left of the limits; None if there are none. `cost_this_month` is in ten-billionths of a dollar."""
    if not limits.exist:
        return None
    left_usd = left_calls = None
    if limits.budget_usd is not None:
        left_usd = max(round(limits.budget_usd - cost_this_month / DOLLAR, 10), 0)
    if limits.budget_calls_per_day is not None:
        left_calls = max(limits.budget_calls_per_day - calls_today, 0)
    if left_usd == 0 or left_calls is None:
        reset = next_month(now)
    else:
        reset = next_day(now)
    return Budget(
        budget_usd=limits.budget_usd,
        budget_calls_per_day=limits.budget_calls_per_day,
        left_usd=left_usd,
        left_calls=left_calls,
        resets_at=format_time(reset),
    )


def day_of(now: datetime) -> str:
    return _day_text(now.date())


@lru_cache(maxsize=2)  # asked for three times by each call
def _day_text(day: date) -> str:
    return day.isoformat()


def first_of_month(now: datetime) -> str:
    return now.strftime("%Y-%m-01")


def next_day(now: datetime) -> datetime:
    return _midnight(now) + timedelta(days=1)


def next_month(now: datetime) -> datetime:
    return (_midnight(now).replace(day=1) + timedelta(days=32)).replace(day=1)


def format_time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _lower(one: NumberT | None, other: NumberT | None) -> NumberT | None:
    known = [each for each in (one, other) if each is not None]
    return min(known, default=None)


def _group(rows: Mapping[Key, Sums], name_of: Callable[[Key], str]) -> dict[str, Sums]:
    groups: dict[str, Sums] = {}
    for key, sums in rows.items():
        groups.setdefault(name_of(key), Sums()).add(sums)
    return groups


def _dearest(groups: Mapping[str, Sums]) -> list[tuple[str, Sums]]:
    return sorted(groups.items(), key=lambda group: (-group[1].cost, -group[1].calls, group[0]))


def _usage_of_model(model: str, sums: Sums) -> UsedByModel:
    used: UsedByModel = {**_usage_fields(sums), "model": model}
    used["calls"] += sums.shared_calls
    return used


def _usage_fields(sums: Sums) -> Used:
    return Used(
        calls=sums.calls,
        errors=sums.errors,
        prompt_tokens=sums.prompt_tokens,
        completion_tokens=sums.completion_tokens,
        total_tokens=sums.total_tokens,
        cached_tokens=sums.cached_tokens,
        pages=sums.pages,
        seconds=sums.milliseconds / 1000,
        characters=sums.characters,
        cost_usd=sums.cost_usd,
    )
