"""Shares of budgets as rows, by owner and process, so that all replicas respect one limit."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, text

from mistral_mcp.hosting.usage.sums import do_once
from mistral_mcp.hosting.vault.database import Database, lock_transaction
from mistral_mcp.hosting.vault.tables import Utc, allowances, usage
from mistral_mcp.usage.allowances import NONE, SHARE_EXPIRES, Amount, Claim, Grant
from mistral_mcp.usage.answer import Limits, day_of, first_of_month
from mistral_mcp.usage.budget_texts import is_near
from mistral_mcp.usage.sums import DOLLAR

_PART = 8  # a share is this part of what is left
_MOST_CALLS = 4096  # of one share

_HOLD = text(
    "INSERT INTO mmcp_allowances (owner, holder, calls, cost, expires_at) "
    "VALUES (:owner, :holder, :calls, :cost, :expires_at) ON CONFLICT (owner, holder) "
    "DO UPDATE SET calls = excluded.calls, cost = excluded.cost, expires_at = excluded.expires_at"
).bindparams(bindparam("expires_at", type_=Utc))


class VaultAllowances:
    """The `AllowanceStore` of hosting."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def take(self, claim: Claim) -> Grant:
        return await self._database.write(lambda database: self._take(database, claim))

    async def hold(self, holder: str, held: Mapping[str, Amount]) -> None:
        expires_at = self._expiry()
        rows = [_row(owner, holder, held[owner], expires_at) for owner in sorted(held) if held[owner] != NONE]
        gone = [owner for owner in held if held[owner] == NONE]

        def work(database: Connection) -> None:
            of_holder = allowances.c.holder == holder
            if gone:
                database.execute(delete(allowances).where(of_holder, allowances.c.owner.in_(gone)))
            if rows:
                database.execute(_HOLD, rows)

        await self._database.write(work)

    def _expiry(self) -> datetime:
        return self._now() + timedelta(seconds=SHARE_EXPIRES)

    def _take(self, database: Connection, claim: Claim) -> Grant:
        now = self._now()
        _lock(database, claim.owner)
        # In this order: usage that a process writes leaves its share afterwards, and must not be missed in between.
        others = _read_others(database, claim, now)
        spent = _read_total(database, claim.owner, now)
        own = claim.under_way.plus(claim.unwritten)
        taken = spent.plus(others).plus(own)
        left = _share(claim, taken)
        held = own.plus(left.positive())
        database.execute(_HOLD, _row(claim.owner, claim.holder, held, self._expiry()))
        near = None
        used = _used(claim, spent, taken)
        if _is_near(claim, used) and self._is_first(database, claim, used, now):
            near = used
        return Grant(left, spent, taken, near)

    def _is_first(self, database: Connection, claim: Claim, used: Amount, now: datetime) -> bool:
        """Whether nobody was notified yet: once a day for calls, once a month for dollars, and again after a changed limit."""
        limits = claim.limits
        if is_near(Limits(budget_usd=limits.budget_usd), used.calls, used.cost):
            return do_once(database, f"near {claim.owner} {now:%Y-%m} {limits.budget_usd}", now)
        identity = f"near {claim.owner} {day_of(now)} {limits.budget_calls_per_day}"
        return do_once(database, identity, now)


def _share(claim: Claim, taken: Amount) -> Amount:
    """The process's share from now on: a further part of what is left, or negative if others need it.

    A negative share recovers as running calls release their reservations.
    """
    limits, calls, cost = claim.limits, 0, 0
    if limits.budget_calls_per_day is not None:
        free = limits.budget_calls_per_day - taken.calls
        part = min(max(free // _PART, 1), _MOST_CALLS)
        calls = min(free, max(claim.left.calls, 0) + part)
    if limits.budget_usd is not None:
        free = round(limits.budget_usd * DOLLAR) - taken.cost
        part = max(free // _PART, claim.bound, 1)
        cost = min(free, max(claim.left.cost, 0) + part)
    return Amount(calls, cost)


def _used(claim: Claim, spent: Amount, taken: Amount) -> Amount:
    """Calls with the one that is about to start; dollars without reservations, most of which are released."""
    return Amount(taken.calls + 1, spent.cost + claim.unwritten.cost)


def _is_near(claim: Claim, used: Amount) -> bool:
    """Not if no call is left."""
    limits = claim.limits
    if limits.budget_calls_per_day is not None and used.calls > limits.budget_calls_per_day:
        return False
    return is_near(limits, used.calls, used.cost)


def _lock(database: Connection, owner: str) -> None:
    """Serialise transactions of one owner."""
    lock_transaction(database, int.from_bytes(sha256(owner.encode()).digest()[:7]))


def _read_total(database: Connection, owner: str, now: datetime) -> Amount:
    """Today's calls, and this month's cost."""
    today = select(func.sum(usage.c.calls)).where(usage.c.owner == owner, usage.c.day == day_of(now))
    month = select(func.sum(usage.c.cost)).where(usage.c.owner == owner, usage.c.day >= first_of_month(now))
    return Amount(int(database.scalar(today) or 0), int(database.scalar(month) or 0))


def _read_others(database: Connection, claim: Claim, now: datetime) -> Amount:
    """The shares of other processes."""
    held = select(func.sum(allowances.c.calls), func.sum(allowances.c.cost)).where(
        allowances.c.owner == claim.owner, allowances.c.holder != claim.holder, allowances.c.expires_at > now
    )
    calls, cost = database.execute(held).one()
    return Amount(int(calls or 0), int(cost or 0))


def _row(owner: str, holder: str, amount: Amount, expires_at: datetime) -> dict[str, Any]:
    return {
        "owner": owner,
        "holder": holder,
        "calls": amount.calls,
        "cost": amount.cost,
        "expires_at": expires_at,
    }
