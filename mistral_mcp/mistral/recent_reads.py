"""What was read for a caller a moment ago, for the next part of it: by caller, and within bounds of bytes and time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cachetools import TTLCache

from mistral_mcp.mistral.transports.exchange import Caller

MOST_BYTES = 32 * 1024 * 1024
"""For all callers together; the least recently used go first."""
_SECONDS = 300.0


class Sized(Protocol):
    """What knows its size, in bytes."""

    @property
    def size(self) -> int: ...


SizedT = TypeVar("SizedT", bound=Sized)


@dataclass(frozen=True, slots=True)
class _Name:
    caller: str
    name: str


class RecentReads:
    """In this process. What does not fit is not kept: whoever looks for it reads it again."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept: TTLCache[_Name, Sized] = TTLCache(
            most_bytes,
            _SECONDS,
            timer=clock,
            getsizeof=lambda kept: kept.size,
        )

    def find(self, caller: Caller, name: str, kind: type[SizedT]) -> SizedT | None:
        """What this caller keeps under this name, where it is of this kind."""
        found = self._kept.get(_Name(caller.digest, name))
        if isinstance(found, kind):
            return found
        return None

    def keep(self, caller: Caller, name: str, value: Sized) -> None:
        if value.size <= self._kept.maxsize:
            self._kept[_Name(caller.digest, name)] = value
