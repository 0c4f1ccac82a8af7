"""What was looked up in the last seconds: hits, misses, and look-ups under way.

Nothing is older than `LIFE`, so a revocation on another replica is felt by then; one on this replica is felt at once.
One query is under way at a time. Who comes meanwhile goes with the next, all together: under load a look-up costs a
fraction of a query, and no number of callers takes the database's connections away from the pages.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import CredentialError, MistralMcpError
from mistral_mcp.hosting.vault.tokens import Token

LIFE = 3.0  # seconds; docs/security.md promises 5, the rest is for a slow database
_HITS = 10_000
_MISSES = 1_000
_TOGETHER = 100

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Found:
    """A connection's credentials, and whose they are."""

    connection_id: str
    credentials: Credentials


Load = Callable[[Sequence[Token]], Awaitable[Mapping[bytes, Found | MistralMcpError]]]
"""Gives what is there, or why not, for the digest of each token."""


class Lookups:
    """Asks `load` for what is not known yet, and once for all who want the same."""

    def __init__(self, load: Load, clock: Callable[[], float]) -> None:
        self._load = load
        self._clock = clock
        self._hits = _Recent[Found](_HITS)
        self._misses = _Recent[CredentialError](_MISSES)  # apart: no number of them pushes a hit out
        self._asked: dict[bytes, asyncio.Future[Found]] = {}
        self._waiting: dict[bytes, tuple[Token, asyncio.Future[Found]]] = {}
        self._working: asyncio.Task[None] | None = None
        self._changes = 0

    async def find(self, token: Token) -> Found:
        """Raises a `CredentialError` for what is no credential, and whatever `load` raises."""
        now = self._clock()
        if found := self._hits.get(token.digest, now):
            return found
        if missed := self._misses.get(token.digest, now):
            raise _again(missed)
        answer = self._asked.get(token.digest)
        if answer is None:
            answer = self._asked[token.digest] = asyncio.get_running_loop().create_future()
            self._waiting[token.digest] = token, answer
            if self._working is None:
                self._working = asyncio.create_task(self._work())
        try:
            return await asyncio.shield(answer)  # who hangs up does not take the answer from the others
        except MistralMcpError as error:
            raise _again(error) from None

    def forget(self, connection_id: str) -> None:
        """Now, whatever is under way: that may have read what was there before, so nobody new is given it."""
        self._hits.drop(lambda found: found.connection_id == connection_id)
        self._asked = {digest: answer for digest, (_, answer) in self._waiting.items()}
        self._changes += 1

    def purge(self) -> None:
        """Keys of callers who went away do not stay in memory."""
        self._hits.purge(self._clock())
        self._misses.purge(self._clock())

    async def aclose(self) -> None:
        if self._working:
            self._working.cancel()
            await asyncio.wait([self._working])
        for answer in self._asked.values():
            answer.cancel()

    async def _work(self) -> None:
        while self._waiting:
            batch = dict(list(self._waiting.items())[:_TOGETHER])
            for digest in batch:
                del self._waiting[digest]
            now, changes = self._clock(), self._changes
            answers: Mapping[bytes, Found | Exception]
            try:
                answers = await self._load([token for token, _ in batch.values()])
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody is left waiting for ever
                answers = dict.fromkeys(batch, error)
            for digest, (_, answer) in batch.items():
                if self._asked.get(digest) is answer:
                    del self._asked[digest]
                self._settle(digest, answer, answers[digest], now if changes == self._changes else None)
        self._working = None

    def _settle(
        self, digest: bytes, answer: asyncio.Future[Found], value: Found | Exception, since: float | None
    ) -> None:
        if isinstance(value, Found):
            if since is not None:
                self._hits.put(digest, value, since)
            answer.set_result(value)
            return
        if since is not None and isinstance(value, CredentialError):
            self._misses.put(digest, value, since)
        answer.set_exception(value)
        answer.exception()  # heard, even if all who asked are gone


def _again(error: MistralMcpError) -> MistralMcpError:
    """One for each who asked: raising gathers a traceback."""
    return type(error)(*error.args)


class _Recent(Generic[ValueT]):
    """Oldest first, which is also the order in which they end: each lives equally long."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, tuple[float, ValueT]] = OrderedDict()

    def get(self, digest: bytes, now: float) -> ValueT | None:
        since, value = self._entries.get(digest, (-LIFE, None))
        return value if now - since < LIFE else None

    def put(self, digest: bytes, value: ValueT, now: float) -> None:
        self._entries.pop(digest, None)
        self.purge(now)
        if len(self._entries) >= self._limit:
            self._entries.popitem(last=False)
        self._entries[digest] = (now, value)

    def purge(self, now: float) -> None:
        while self._entries and now - next(iter(self._entries.values()))[0] >= LIFE:
            self._entries.popitem(last=False)

    def drop(self, unwanted: Callable[[ValueT], bool]) -> None:
        for digest in [digest for digest, (_, value) in self._entries.items() if unwanted(value)]:
            del self._entries[digest]
