"""Budgets: whether a call may begin, asked before anything is sent.

    reservation = await budgets.begin(credentials, bound, patience)     # None where there is no limit; raises `BudgetSpent`
    …
    budgets.end(reservation, cost)

A call begins as long as something is left that no call under way has reserved, so what is spent beyond a budget is at most
what was under way. So that not every call asks the database, a process takes a share of what is left and spends it by
itself; shares are smaller the less is left, and one that nobody uses goes back after two seconds. The share of a process
that was killed goes back after half a minute.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import anyio

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.usage.allowances import NONE, AllowanceStore, Amount, Claim
from mistral_mcp.usage.answer import Limits, day_of
from mistral_mcp.usage.budget_texts import BudgetTexts
from mistral_mcp.usage.ledger import Ledger
from mistral_mcp.usage.sums import DOLLAR

_RENEW = 10.0
_EVERY = 2.0  # seconds between looks at what can go back
_KEEP = 20.0  # seconds that an unused share stays here while there is enough for all
_FORGET = 60.0  # seconds after which an account without a share is forgotten
_PATIENCE = 10.0  # seconds that a call waits for what others have reserved
_PAUSE = 0.1  # seconds between two questions whether something went back


@dataclass(slots=True)
class _Account:
    """One owner's share in this process."""

    limits: Limits
    day: str
    left: Amount = NONE
    under_way: Amount = NONE
    spent: Amount = NONE
    """By all, as it was when a share was last taken."""
    period: int = 0
    """Counts how often the share was given back: what was reserved before does not come back to the next."""
    held: Amount = NONE
    """As the store has it."""
    held_at: float = 0.0
    is_tight: bool = True
    """Whether half of a limit is taken: others may soon need what this process does not use."""
    quiet_until: float = 0.0
    """Nothing was left a moment ago: the store is not asked again before."""
    used_at: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    """What the next result is to say."""

    def has_room(self) -> bool:
        if self.limits.budget_calls_per_day is not None and self.left.calls < 1:
            return False
        return self.limits.budget_usd is None or self.left.cost > 0

    def give_back(self) -> None:
        self.left = NONE
        self.period += 1


@dataclass(frozen=True, slots=True)
class Reservation:
    """Of one call under way."""

    account: _Account
    amount: Amount
    period: int

    def take_note(self) -> str:
        """What this call's result should say of the budget, once; usually nothing."""
        notes = self.account.notes
        if notes:
            return notes.pop()
        return ""


class Budgets:
    """One process's part in keeping to everybody's limits."""

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
        """`holder` names this process among all."""
        self._ledger = ledger
        self._store = store
        self._texts = texts
        self._now = now
        self._patience = patience
        self._holder = holder
        self._accounts: dict[str, _Account] = {}
        self._asking = asyncio.Lock()

    async def begin(
        self, credentials: Credentials, bound: Callable[[], int], patience: float
    ) -> Reservation | None:
        """Reserve what a call costs at most, in ten-billionths of a dollar. Raises `BudgetSpent` or `VaultUnavailable`.

        Where only calls under way stand in the way, it waits for these: `patience` seconds at most.
        """
        limits = self._ledger.limits_of(credentials)
        if not limits.exist:
            return None
        owner, cost = self._ledger.owner_of(credentials), 0
        if limits.budget_usd is not None:
            cost = bound()
        deadline = time.monotonic() + min(patience, self._patience)
        while True:
            account = self._account(owner, limits)
            if not account.has_room():
                await self._ask(owner, account, cost)
            if account.has_room():
                return self._reserve(account, cost)
            spent = self._total(owner, account)
            is_final = _is_used_up(limits, spent)
            if is_final or time.monotonic() > deadline:
                raise self._texts.refusal(limits, spent.calls, spent.cost, self._now(), is_final=is_final)
            await anyio.sleep(_PAUSE)

    def end(self, reservation: Reservation, cost: int) -> None:
        """The call has ended, and cost so much. What it had reserved beyond that comes back."""
        account = reservation.account
        account.under_way = account.under_way.minus(reservation.amount)
        if account.period == reservation.period:
            account.left = account.left.plus(Amount(0, reservation.amount.cost - cost))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Renews this process's shares, and gives them back."""
        tidying = asyncio.create_task(self._tidy_forever())
        try:
            yield
        finally:
            tidying.cancel()
            await asyncio.wait([tidying])
            with suppress(VaultUnavailable):
                await self._store.hold(self._holder, dict.fromkeys(self._accounts, NONE))

    def _account(self, owner: str, limits: Limits) -> _Account:
        """With the limits of now; a share of another day, or under other limits, goes back."""
        day = day_of(self._now())
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = _Account(limits, day)
        if (account.limits, account.day) != (limits, day):
            account.limits, account.day = limits, day
            account.give_back()
        account.used_at = time.monotonic()
        return account

    def _reserve(self, account: _Account, cost: int) -> Reservation:
        amount = Amount(1, cost)
        account.left = account.left.minus(amount)
        account.under_way = account.under_way.plus(amount)
        return Reservation(account, amount, account.period)

    async def _ask(self, owner: str, account: _Account, bound: int) -> None:
        """Take a share, unless another call just did."""
        async with self._asking:
            if account.has_room() or time.monotonic() < account.quiet_until:
                return
            unwritten = Amount(*self._ledger.unwritten(owner))
            claim = Claim(owner, self._holder, account.limits, account.left, account.under_way, unwritten, bound)
            period = account.period
            grant = await self._store.take(claim)
            account.spent = grant.spent
            account.is_tight = _is_tight(claim.limits, grant.taken)
            account.held = claim.under_way.plus(unwritten).plus(grant.left.positive())
            account.held_at = time.monotonic()
            if account.period == period:
                # What came back or was reserved meanwhile.
                change = account.left.minus(claim.left)
                account.left = grant.left.plus(change)
            if not account.has_room():
                account.quiet_until = account.held_at + _PAUSE
            if grant.is_near:
                taken = grant.taken
                account.notes.append(self._texts.note(claim.limits, taken.calls + 1, taken.cost, self._now()))

    def _total(self, owner: str, account: _Account) -> Amount:
        """As far as this process knows; calls count as soon as they begin."""
        own = Amount(*self._ledger.unwritten(owner))
        return account.spent.plus(own).plus(Amount(account.under_way.calls, 0))

    async def _tidy_forever(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            with suppress(VaultUnavailable):  # it is in the log, and is tried again
                await self.tidy()

    async def tidy(self) -> None:
        """Give back what is not used, and renew the rest. Raises `VaultUnavailable`."""
        async with self._asking:
            now = time.monotonic()
            changed: dict[str, Amount] = {}
            for owner, account in list(self._accounts.items()):
                idle = now - account.used_at
                if idle > (_EVERY if account.is_tight else _KEEP):
                    account.give_back()
                held = account.left.positive().plus(account.under_way)
                held = held.plus(Amount(*self._ledger.unwritten(owner)))
                is_old = held != NONE and now - account.held_at > _RENEW
                # What the store has meanwhile is never too little: where there is enough for all, it may be too much.
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
    """Whether no call under way could give anything back."""
    if limits.budget_calls_per_day is not None and spent.calls >= limits.budget_calls_per_day:
        return True
    return limits.budget_usd is not None and spent.cost >= limits.budget_usd * DOLLAR
