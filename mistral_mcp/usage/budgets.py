"""Budgets: whether a call may start, checked before anything is sent.

    reservation = await budgets.begin(credentials, highest, estimate, deadline)  # None where there is no limit
    …
    budgets.end(reservation, cost)

A call may start while some budget is left that no running call has reserved, so the overspend is at most what was running.
A batch, which is paid for later, may start only while its least cost is left. To spare the database, a process takes a share
of what is left and spends it by itself. Shares shrink with what is left, and an unused one is returned after two seconds; that
of a killed process expires after half a minute.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import anyio

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BudgetSpent, VaultUnavailable
from mistral_mcp.usage.allowances import NONE, AllowanceStore, Amount, Claim
from mistral_mcp.usage.answer import NO_LIMITS, Limits
from mistral_mcp.usage.bounds import Needs
from mistral_mcp.usage.budget_texts import BudgetTexts
from mistral_mcp.usage.ledger import Ledger
from mistral_mcp.usage.sums import DOLLAR

_RENEW = 10.0
_EVERY = 2.0  # seconds between checks for unused shares
_KEEP = 20.0  # seconds an unused share is held while there is enough for all
_FORGET = 60.0  # seconds after which an account without a share is forgotten
_PATIENCE = 10.0  # seconds that a call waits for the reservations of others
_PAUSE = 0.1  # seconds between two checks for returned budget


@dataclass(slots=True)
class _Account:
    """One owner's share in this process."""

    limits: Limits
    day: int
    """In UTC, counted as `datetime.toordinal` does."""
    # Plain numbers, since each call changes them.
    calls_left: int = 0
    cost_left: int = 0
    calls_under_way: int = 0
    cost_under_way: int = 0
    spent: Amount = NONE
    """By all processes, when a share was last taken."""
    period: int = 0
    """Counts returned shares: a reservation of an earlier period is not credited to this one."""
    held: Amount = NONE
    """This process's share, as the store knows it."""
    held_at: float = 0.0
    is_tight: bool = True
    """Whether half of a limit is taken: other processes may soon need unused shares."""
    quiet_until: float = 0.0
    """Nothing was left: no request to the store before this time."""
    used_at: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    """What the next results say, one each: that the budget is nearly used up."""

    @property
    def left(self) -> Amount:
        return Amount(self.calls_left, self.cost_left)

    @property
    def under_way(self) -> Amount:
        return Amount(self.calls_under_way, self.cost_under_way)

    def has_room(self, least: int = 1) -> bool:
        """Whether `least` is left, in ten-billionths of a dollar, and a call."""
        if self.limits.budget_calls_per_day is not None and self.calls_left < 1:
            return False
        return self.limits.budget_usd is None or self.cost_left >= least

    def reserve(self, cost: int) -> "Reservation":
        self.calls_left -= 1
        self.cost_left -= cost
        self.calls_under_way += 1
        self.cost_under_way += cost
        return Reservation(self, cost, self.period)

    def add(self, amount: Amount) -> None:
        """Add to what is left."""
        self.calls_left += amount.calls
        self.cost_left += amount.cost

    def give_back(self) -> None:
        self.calls_left = self.cost_left = 0
        self.period += 1


class Reservation(NamedTuple):
    """The reservation of one running call."""

    account: _Account
    cost: int
    """In ten-billionths of a dollar."""
    period: int


class Budgets:
    """Enforces everybody's limits in one process."""

    def __init__(
        self,
        ledger: Ledger,
        store: AllowanceStore,
        texts: BudgetTexts,
        *,
        now: Callable[[], datetime],
        holder: str,
        patience: float = _PATIENCE,
    ) -> None:
        """`holder` identifies this process among all."""
        self._ledger = ledger
        self._store = store
        self._texts = texts
        self._now = now
        self._patience = patience
        self._holder = holder
        self._accounts: dict[str, _Account] = {}
        self._share_lock = asyncio.Lock()

    async def begin(
        self,
        credentials: Credentials,
        highest: Callable[[], int] | None,
        estimate: Callable[[int], Awaitable[Needs]] | None,
        deadline: float,
    ) -> Reservation | None:
        """Reserve what a call costs at most, in ten-billionths of a dollar. Raises `BudgetSpent` or `VaultUnavailable`.

        `highest` is the highest cost by the call's arguments; `estimate` takes that and may know better, and is asked only if
        some budget is left. If running calls have reserved the rest, it waits for them, until `deadline` by the monotonic
        clock at most.
        """
        limits = self._ledger.limits_of(credentials)
        if limits == NO_LIMITS:
            return None
        owner, cost = self._ledger.owner_of(credentials), 0
        if limits.budget_usd is None:
            highest = estimate = None
        if highest is not None:
            cost = highest()
        account = self._account(owner, limits)
        if not account.has_room():
            account = await self._find_room(owner, limits, Needs(cost), deadline)
        if estimate is not None:
            needs = await estimate(cost)
            cost = needs.reserved
            account = await self._find_room(owner, limits, needs, deadline)
        return account.reserve(cost)

    def end(self, reservation: Reservation, cost: int) -> None:
        """Record the cost of a finished call; the rest of its reservation is released."""
        account = reservation.account
        account.calls_under_way -= 1
        account.cost_under_way -= reservation.cost
        if account.period == reservation.period:
            account.cost_left += reservation.cost - cost

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Renews this process's shares, and returns them at the end."""
        tidying = asyncio.create_task(self._tidy_forever())
        try:
            yield
        finally:
            tidying.cancel()
            await asyncio.wait([tidying])
            with suppress(VaultUnavailable):
                await self._store.hold(self._holder, dict.fromkeys(self._accounts, NONE))

    async def _find_room(
        self,
        owner: str,
        limits: Limits,
        needs: Needs,
        deadline: float,
    ) -> _Account:
        """The owner's account, once it has room. Raises `BudgetSpent` or `VaultUnavailable`."""
        deadline = min(deadline, time.monotonic() + self._patience)
        while True:
            account = self._account(owner, limits)
            if not account.has_room(needs.least):
                await self._request_share(owner, account, needs)
            if account.has_room(needs.least):
                return account
            spent = self._total(owner, account)
            if _is_used_up(limits, spent.plus(Amount(0, needs.least - 1))):
                raise self._refusal(limits, spent, needs.least)
            if time.monotonic() > deadline:
                raise self._texts.refusal(limits, spent, self._now(), is_final=False)
            await anyio.sleep(_PAUSE)

    def _refusal(self, limits: Limits, spent: Amount, least: int) -> BudgetSpent:
        if _is_used_up(limits, spent):
            return self._texts.refusal(limits, spent, self._now(), is_final=True)
        return self._texts.too_dear(limits, spent, least, self._now())

    def _account(self, owner: str, limits: Limits) -> _Account:
        """The owner's account, with the current limits; a share of another day, or under other limits, is returned."""
        day = self._now().toordinal()
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = _Account(limits, day)
        if account.limits != limits or account.day != day:
            account.limits, account.day = limits, day
            account.give_back()
        account.used_at = time.monotonic()
        return account

    async def _request_share(self, owner: str, account: _Account, needs: Needs) -> None:
        """Request a share from the store, unless another call just did."""
        async with self._share_lock:
            if account.has_room(needs.least) or time.monotonic() < account.quiet_until:
                return
            unwritten = Amount(*self._ledger.unwritten(owner))
            bound = max(needs.reserved, needs.least)
            claim = Claim(
                owner=owner,
                holder=self._holder,
                limits=account.limits,
                left=account.left,
                under_way=account.under_way,
                unwritten=unwritten,
                bound=bound,
            )
            period = account.period
            grant = await self._store.take(claim)
            account.spent = grant.spent
            account.is_tight = _is_tight(claim.limits, grant.taken)
            account.held = claim.under_way.plus(unwritten).plus(grant.left.positive())
            account.held_at = time.monotonic()
            if account.period == period:
                # A difference, since calls may have begun or ended meanwhile.
                account.add(grant.left.minus(claim.left))
            if not account.has_room(needs.least):
                account.quiet_until = account.held_at + _PAUSE
            if grant.near is not None:
                account.notes.append(self._texts.note(claim.limits, grant.near, self._now()))

    def _total(self, owner: str, account: _Account) -> Amount:
        """The amount spent, as far as this process knows; running calls count as calls."""
        own = Amount(*self._ledger.unwritten(owner))
        return account.spent.plus(own).plus(Amount(account.calls_under_way, 0))

    async def _tidy_forever(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            with suppress(VaultUnavailable):  # logged, and retried
                await self.tidy()

    async def tidy(self) -> None:
        """Return unused shares, and renew the others. Raises `VaultUnavailable`."""
        async with self._share_lock:
            now = time.monotonic()
            changed: dict[str, Amount] = {}
            for owner, account in list(self._accounts.items()):
                idle = now - account.used_at
                if idle > (_EVERY if account.is_tight else _KEEP):
                    account.give_back()
                held = account.left.positive().plus(account.under_way)
                held = held.plus(Amount(*self._ledger.unwritten(owner)))
                is_old = held != NONE and now - account.held_at > _RENEW
                # The store's figure may be too high, never too low; too high is harmless while there is enough for all.
                differs = held != account.held and (account.is_tight or held == NONE)
                if is_old or differs:
                    changed[owner] = held
                elif held == NONE and idle > _FORGET:
                    del self._accounts[owner]
            if changed:
                await self._store.hold(self._holder, changed)
            for owner, held in changed.items():
                self._accounts[owner].held = held
                self._accounts[owner].held_at = now


def _is_tight(limits: Limits, taken: Amount) -> bool:
    if limits.budget_calls_per_day is not None and 2 * taken.calls > limits.budget_calls_per_day:
        return True
    return limits.budget_usd is not None and 2 * taken.cost > limits.budget_usd * DOLLAR


def _is_used_up(limits: Limits, spent: Amount) -> bool:
    """Whether not even the end of all running calls would leave anything."""
    if limits.budget_calls_per_day is not None and spent.calls >= limits.budget_calls_per_day:
        return True
    return limits.budget_usd is not None and spent.cost >= limits.budget_usd * DOLLAR
