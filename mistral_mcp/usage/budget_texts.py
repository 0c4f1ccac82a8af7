"""Texts about a budget: that it is used up, or nearly so."""

from dataclasses import dataclass
from datetime import datetime

from mistral_mcp.errors import BudgetSpent
from mistral_mcp.usage.answer import Limits, format_time, next_day, next_month
from mistral_mcp.usage.sums import DOLLAR

NEAR = 0.9
"""Of a limit."""


@dataclass(frozen=True, slots=True)
class BudgetTexts:
    """`manage` is where users change a connection's own limits; only the operator can raise the server's."""

    ceiling: Limits
    manage: str

    def refusal(self, limits: Limits, calls: int, cost: int, now: datetime, *, is_final: bool) -> BudgetSpent:
        """The error for today's calls and this month's cost; not final if running calls hold the rest."""
        limit = _tightest(limits, calls, cost, now)
        change = self._change(limit)
        if is_final:
            what = f"Nothing is left of {limit.name} until {format_time(limit.resets_at)}; {change}."
            wait = (limit.resets_at - now).total_seconds()
        else:
            left = f"{limit.left} is left of {limit.name}, and running calls have reserved it"
            what = f"{left}; it resets at {format_time(limit.resets_at)}; {change}."
            wait = 5.0
        error = BudgetSpent(what, "" if is_final else "Try again in a few seconds.")
        error.retry_after = round(wait)
        return error

    def note(self, limits: Limits, calls: int, cost: int, now: datetime) -> str:
        limit = _tightest(limits, calls, cost, now)
        resets_at = format_time(limit.resets_at)
        return f"[{limit.left} is left of {limit.name} until {resets_at}; {self._change(limit)}.]"

    def _change(self, limit: "_Limit") -> str:
        if limit.amount in {self.ceiling.budget_usd, self.ceiling.budget_calls_per_day}:
            return "the limit is this server's, and only its operator can raise it"
        return f"change the limit at {self.manage}"


@dataclass(frozen=True, slots=True)
class _Limit:
    """One of the two limits, and how much of it is used."""

    amount: float
    used: float
    """The used part; 1 is all."""
    name: str
    left: str
    resets_at: datetime


def is_near(limits: Limits, calls: int, cost: int) -> bool:
    """Whether one of the limits is nearly used up."""
    calls_limit, usd_limit = limits.budget_calls_per_day, limits.budget_usd
    if calls_limit is not None and calls >= NEAR * calls_limit:
        return True
    return usd_limit is not None and cost >= NEAR * usd_limit * DOLLAR


def _tightest(limits: Limits, calls: int, cost: int, now: datetime) -> _Limit:
    """The limit that is closest to being used up."""
    found: list[_Limit] = []
    if limits.budget_usd is not None:
        usd, left = limits.budget_usd, max(limits.budget_usd - cost / DOLLAR, 0)
        name = f"this connection's ${usd:,.2f} for this month"
        found.append(_Limit(usd, _part(cost / DOLLAR, usd), name, f"${left:,.4f}", next_month(now)))
    if limits.budget_calls_per_day is not None:
        most, remaining = limits.budget_calls_per_day, max(limits.budget_calls_per_day - calls, 0)
        name = f"this connection's {most:,} calls for today"
        found.append(_Limit(most, _part(calls, most), name, f"{remaining:,}", next_day(now)))
    return max(found, key=lambda limit: limit.used)


def _part(used: float, limit: float) -> float:
    if limit <= 0:
        return 1.0
    return used / limit
