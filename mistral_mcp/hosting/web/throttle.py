"""Failures, and only failures, are rate-limited per client address.

A valid token is never refused for its address: a hosted client's users all come from a few.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from cachetools import LRUCache

from mistral_mcp.errors import RefusedCredential, RevokedOrExpired, TooManyFailures

_ADDRESSES = 10_000  # remembered at once; the one that failed longest ago goes first


class Throttle:
    """A leaky bucket of failures for each network; `count` hears the reason of each."""

    def __init__(
        self,
        count: Callable[[str], object] = lambda _reason: None,
        *,
        per_minute: int = 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._spacing = 60 / per_minute
        self._burst = 60.0
        self._clock = clock
        self._until: LRUCache[str, float] = LRUCache(_ADDRESSES)

    def check(self, address: str) -> None:
        """Raises `TooManyFailures` where the address has had too many."""
        # Each failure adds its spacing, time takes it away.
        filled = max(self._until.get(_network(address), 0.0) - self._clock(), 0.0)
        over = filled + self._spacing - self._burst
        if over > 0:
            raise TooManyFailures(over)

    def fail(self, address: str, reason: str) -> None:
        """Count a failure. Raises `TooManyFailures` where there were too many already."""
        self._count(reason)
        self.check(address)
        network = _network(address)
        self._until[network] = max(self._until.get(network, 0.0), self._clock()) + self._spacing

    @contextmanager
    def counting(self, address: str) -> Generator[None]:
        """Counts credentials that are refused inside. Raises `TooManyFailures` in their place where there are too many."""
        try:
            yield
        except (RevokedOrExpired, RefusedCredential) as error:
            self.fail(address, type(error).__name__)
            raise


def _network(address: str) -> str:
    """One IPv6 user has a whole /64; an IPv4 user comes as IPv6 where one socket serves both."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or parsed.exploded[:19]) if isinstance(parsed, IPv6Address) else str(parsed)
