"""Failures, and only failures, held down per address.

A valid token is never refused for its address: a hosted client's users all come from a few.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

_ADDRESSES = 10_000  # remembered at once; the one that failed longest ago goes first


class Throttle:
    """So many failures a minute for each address; after that, how long until one is forgiven."""

    def __init__(self, per_minute: int = 20, clock: Callable[[], float] = time.monotonic) -> None:
        self._spacing = 60 / per_minute
        self._burst = 60.0
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def wait(self, address: str) -> float | None:
        """Seconds to stay away, where the address has had too many failures; else None."""
        # A bucket that leaks: each failure adds its spacing, time takes it away.
        filled = max(self._until.get(_network(address), 0.0) - self._clock(), 0.0)
        return filled + self._spacing - self._burst if filled + self._spacing > self._burst else None

    def failed(self, address: str) -> float | None:
        """Count a failure, unless there were too many already; then how long to wait."""
        whose, wait, now = _network(address), self.wait(address), self._clock()
        until = max(self._until.pop(whose, now), now)
        self._until[whose] = until if wait else until + self._spacing
        if len(self._until) > _ADDRESSES:
            self._until.popitem(last=False)
        return wait


def _network(address: str) -> str:
    """One IPv6 user has a whole /64; an IPv4 user comes as IPv6 where one socket serves both."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or parsed.exploded[:19]) if isinstance(parsed, IPv6Address) else str(parsed)
