"""Texts about a budget: that it is used up, or nearly so."""

from dataclasses import dataclass
from datetime import datetime

from mistral_mcp.errors import BudgetSpent
from mistral_mcp.usage.allowances import Amount
from mistral_mcp.usage.answer import Limits, format_time, next_day, next_month
from mistral_mcp.usage.sums import DOLLAR

NEAR = 0.9
"""Of a limit."""


@dataclass(frozen=True, slots=True)
class BudgetTexts:
    """`manage` is where users change a connection's own limits; only the operator can raise the server's."""

    ceiling: Limits
    manage: str

    def refusal(self, limits: Limits, spent: Amount, now: datetime, *, is_final: bool) -> BudgetSpent:
        """The error for today's calls and this month's cost; not final if running calls hold the rest."""
        limit = _tightest(limits, spent.calls, spent.cost, now)
        if is_final:
            until = format_time(limit.resets_at)
            what = f"Nothing is left of {limit.name} until {until}; {self._change(limit)}."
            return _error(what, "", (limit.resets_at - now).total_seconds())
        what = self._remainder(limit, "running calls have reserved it")
        return _error(what, "Try again in a few seconds.", 5.0)

    def too_dear(self, limits: Limits, spent: Amount, least: int, now: datetime) -> BudgetSpent:
        """The error for a call that costs at least `least`, in ten-billionths of a dollar: more than is left."""
        limit = _tightest(Limits(budget_usd=limits.budget_usd), 0, spent.cost, now)
        what = self._remainder(limit, f"this costs at least ${least / DOLLAR:,.4g}")
        return _error(what, "", (limit.resets_at - now).total_seconds())

    def note(self, limits: Limits, used: Amount, now: datetime) -> str:
        limit = _tightest(limits, used.calls, used.cost, now)
        resets_at = format_time(limit.resets_at)
        return f"[{limit.left} is left of {limit.name} until {resets_at}; {self._change(limit)}.]"

    def _remainder(self, limit: "_Limit", reason: str) -> str:
        left = f"{limit.left} is left of {limit.name}, and {reason}"
        return f"{left}; it resets at {format_time(limit.resets_at)}; {self._change(limit)}."

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


def _error(what: str, advice: str, retry_after: float) -> BudgetSpent:
    error = BudgetSpent(what, advice)
    error.retry_after = round(retry_after)
    return error


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
