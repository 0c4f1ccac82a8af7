"""Leaky buckets: a number of events per number of seconds for each name, and the wait until the next is allowed."""

import time
from collections.abc import Callable

from cachetools import LRUCache

_NAMES = 10_000  # in memory; the least recently used is evicted


class RateLimit:
    """At most `most` events in `seconds`, for each name."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._spacing = seconds / most
        self._burst = seconds
        self._clock = clock
        self._until: LRUCache[str, float] = LRUCache(_NAMES)

    def wait(self, name: str) -> float:
        """Seconds until there is room; 0: now."""
        # Each event adds its spacing; passing time removes it.
        filled = max(self._until.get(name, 0.0) - self._clock(), 0.0)
        return max(filled + self._spacing - self._burst, 0.0)

    def add(self, name: str) -> None:
        """Count an event, if there is room for it."""
        if not self.wait(name):
            self._until[name] = max(self._until.get(name, 0.0), self._clock()) + self._spacing
