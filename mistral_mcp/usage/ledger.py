"""The usage of each connection, by tool, model and day: counted in memory, and written in batches outside of calls.

    ledger = Ledger(MemoryUsage(), digest_of_key)
    create_server(settings, credentials, ledger=ledger)       # is told of each call, and written while the server runs
    answer = await ledger.usage_of(owner, limits)

If the process is killed, unwritten usage is lost: two seconds of calls, and the time that a batch takes.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from cachetools import LRUCache

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.usage.answer import NO_LIMITS, Limits, UsageAnswer, day_of, first_of_month, usage_answer
from mistral_mcp.usage.calls import OTHER, CallRecord
from mistral_mcp.usage.ended_calls import EndedCalls
from mistral_mcp.usage.store import Batch, Rows, UsageStore
from mistral_mcp.usage.sums import Key, Sums

EVERY = 2.0  # seconds between batches; contract: at most 5 are lost

_MOST_ROWS = 100_000  # not written yet, while the database is away
_OWNERS = 10_000  # whose models are remembered
_MOST_NAMES = 50  # of models that are not in the catalogue, for each owner
_NAME = re.compile(r"[\w.:/@+-]{1,100}", re.ASCII)

_log = logging.getLogger(__name__)

OwnerName = Callable[[Credentials], str]
"""The name under which a caller's usage is stored."""


_utc_now = partial(datetime.now, UTC)


class Ledger:
    """Adds up usage and writes it to a store. A `CallObserver`: the first that is told of calls that have ended."""

    def __init__(
        self,
        store: UsageStore,
        owner_of: OwnerName,
        *,
        is_counted: Callable[[CallRecord], bool] = lambda _: True,
        ceiling: Limits = NO_LIMITS,
        now: Callable[[], datetime] = _utc_now,
        every: float = EVERY,
    ) -> None:
        """`ceiling` applies to every owner; the lower of it and the owner's own limits counts."""
        self.ended = EndedCalls(self)
        self._store = store
        self.owner_of = owner_of
        self._is_counted = is_counted
        self._ceiling = ceiling
        self._now = now
        self._every = every
        self._pending: dict[str, Rows] = {}
        self._rows = 0
        self._unwritten: Batch | None = None
        """The batch being written: retried until the store confirms it."""
        self._writing = asyncio.Lock()
        self._names: LRUCache[str, set[str]] = LRUCache(_OWNERS)

    def calls_ended(self, records: Sequence[CallRecord]) -> None:
        day = day_of(self._now())
        for record in records:
            self._count(day, record)

    def _count(self, day: str, record: CallRecord) -> None:
        """Count the call under its first model, and its usage under each model."""
        if record.credentials is None or not record.counts or not self._is_counted(record):
            return
        owner = self.owner_of(record.credentials)
        failed = int(record.outcome == "error")
        if not record.by_model:
            sums = self._row(owner, Key(day, record.tool, record.model or ""))
            sums.calls += 1
            sums.errors += failed
        for position, used in enumerate(record.by_model):
            sums = self._row(owner, Key(day, record.tool, self._model_name(owner, record, used.model)))
            sums.add_usage(used)
            if position == 0:
                sums.calls += 1
                sums.errors += failed
            else:
                sums.shared_calls += 1

    def limits_of(self, credentials: Credentials) -> Limits:
        """The lower of the caller's own limits and the ceiling."""
        if credentials.budget_usd is None and credentials.budget_calls_per_day is None:
            return self._ceiling
        own = Limits(credentials.budget_usd, credentials.budget_calls_per_day)
        return own.lower_of(self._ceiling)

    def unwritten(self, owner: str) -> tuple[int, int]:
        """An owner's calls that the store may not have yet: their number, and their cost in ten-billionths of a dollar."""
        self.ended.settle()
        calls = cost = 0
        batches = [self._pending] if self._unwritten is None else [self._pending, self._unwritten.rows]
        for rows in batches:
            for sums in rows.get(owner, {}).values():
                calls += sums.calls
                cost += sums.cost
        return calls, cost

    async def usage_of_caller(self, credentials: Credentials) -> UsageAnswer:
        """A caller's usage, including the last call. Raises `VaultUnavailable`."""
        return await self.usage_of(self.owner_of(credentials), self.limits_of(credentials))

    async def usage_of(self, owner: str, own_limits: Limits = NO_LIMITS) -> UsageAnswer:
        """The usage by owner: a connection's id, or what `owner_of` gives for a caller's own key."""
        await self.flush()
        now = self._now()
        rows = await self._store.read(owner, first_of_month(now))
        return usage_answer(rows, own_limits.lower_of(self._ceiling), now)

    async def flush(self) -> None:
        """Write what was counted until now. Raises `VaultUnavailable`; the batch is then retried next time."""
        self.ended.settle()
        async with self._writing:
            if self._unwritten:
                await self._write(self._unwritten)
            # Not until nothing is pending: under load that would write without a pause, at a tenth of the processor time.
            if self._pending:
                batch, self._pending, self._rows = Batch(self._pending), {}, 0
                await self._write(batch)

    async def _write(self, batch: Batch) -> None:
        self._unwritten = batch
        await self._store.add(batch)
        self._unwritten = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Writes every two seconds, and at the end."""
        writing = asyncio.create_task(self._write_forever())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.wait([writing])
            with suppress(VaultUnavailable):
                await self.flush()

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.flush()
            except VaultUnavailable:
                pass  # logged, and retried
            except Exception:  # noqa: BLE001 - a bug in one batch must not end the writing for good
                _log.exception("Usage could not be written; retrying.")

    def _row(self, owner: str, key: Key) -> Sums:
        """The sums of this key, to be added to; where there is no room for more of them, some that are never written."""
        rows = self._pending.setdefault(owner, {})
        known = rows.get(key)
        if known is not None:
            return known
        sums = Sums()
        if self._rows < _MOST_ROWS:
            rows[key] = sums
            self._rows += 1
        elif self._rows == _MOST_ROWS:
            self._rows += 1
            _log.error("Usage cannot be written, and there is no room for more of it: it is lost until then.")
        return sums

    def _model_name(self, owner: str, record: CallRecord, name: str) -> str:
        """The model's name as Mistral gave it; beyond a number of names, an owner's other models share one row."""
        if name == record.model or not name:
            return name
        known = self._names.get(owner)
        if known is None:
            known = self._names[owner] = set()
        if name not in known:
            if len(known) >= _MOST_NAMES or not _NAME.fullmatch(name):
                return OTHER
            known.add(name)
        return name


def digest_of_key(credentials: Credentials) -> str:
    """The owner's name without a vault: a digest of the key, which does not reveal it."""
    if credentials.key:
        secret = credentials.key.get_secret_value()
    else:
        secret = ""
    return hashlib.blake2b(secret.encode(), key=b"mistral-mcp usage", digest_size=16).hexdigest()
