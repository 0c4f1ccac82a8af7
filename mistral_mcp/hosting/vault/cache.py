"""Caches look-ups for seconds: hits, misses, and running ones.

No entry is older than `LIFE`, so a revocation reaches every replica by then, and the revoking replica at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TLRUCache

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import CredentialError, MistralMcpError
from mistral_mcp.hosting.vault.tokens import Token

LIFE = 3.0  # seconds; docs/security.md promises 5, the rest is for a slow database
_HITS = 10_000
_MISSES = 1_000

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Found:
    """A connection's credentials, and the connection's id."""

    connection_id: str
    credentials: Credentials
    resource: str = ""
    """Access tokens only: the resource that it was issued for."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[ValueT]):
    value: ValueT
    asked_at: float


class LookupCache:
    """Calls `load` for unknown tokens, once for all concurrent look-ups of the same token."""

    def __init__(
        self, load: Callable[[Token], Awaitable[Found]], clock: Callable[[], float], *, hits: int = _HITS
    ) -> None:
        self._load = load
        self._clock = clock
        self._hits: TLRUCache[bytes, _Entry[Found]] = TLRUCache(hits, _expiry, timer=clock)
        # Separate caches, so that misses cannot evict hits.
        self._misses: TLRUCache[bytes, _Entry[CredentialError]] = TLRUCache(_MISSES, _expiry, timer=clock)
        self._current: dict[bytes, asyncio.Task[Found]] = {}
        self._tasks: set[asyncio.Task[Found]] = set()
        self._changes = 0

    async def find(self, token: Token) -> Found:
        """Raises a `CredentialError` for an invalid token, and whatever `load` raises."""
        if hit := self._hits.get(token.digest):
            return hit.value
        if miss := self._misses.get(token.digest):
            raise _copy(miss.value)
        task = self._current.get(token.digest)
        if task is None:
            task = asyncio.create_task(self._look_up(token))
            self._current[token.digest] = task
            self._tasks.add(task)
            task.add_done_callback(self._discard)
        try:
            return await asyncio.shield(
                task
            )  # a caller who disconnects does not cancel the look-up for the others
        except MistralMcpError as error:
            raise _copy(error) from None

    def forget(self, connection_id: str) -> None:
        """Drop a connection. A running look-up may have read the old row: its result is neither cached nor shared further."""
        for digest, hit in list(self._hits.items()):
            if hit.value.connection_id == connection_id:
                del self._hits[digest]
        self._current.clear()
        self._changes += 1

    def clear(self) -> None:
        """Drop everything, as `forget` does one connection."""
        self._hits.clear()
        self._current.clear()
        self._changes += 1

    def purge(self) -> None:
        """Drop expired entries, so that keys do not stay in memory."""
        self._hits.expire()
        self._misses.expire()

    async def aclose(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _look_up(self, token: Token) -> Found:
        asked_at, changes = self._clock(), self._changes
        try:
            found = await self._load(token)
            if changes == self._changes:
                self._hits[token.digest] = _Entry(found, asked_at)
        except CredentialError as error:
            if changes == self._changes:
                self._misses[token.digest] = _Entry(error, asked_at)
            raise
        else:
            return found
        finally:
            if self._current.get(token.digest) is asyncio.current_task():
                del self._current[token.digest]

    def _discard(self, task: asyncio.Task[Found]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, even if no caller waits any more


def _expiry(_digest: bytes, entry: _Entry[ValueT], _now: float) -> float:
    """Entries age from the start of their look-up."""
    return entry.asked_at + LIFE


def _copy(error: MistralMcpError) -> MistralMcpError:
    """A copy for each caller: raising adds a traceback."""
    return type(error)(*error.args)
