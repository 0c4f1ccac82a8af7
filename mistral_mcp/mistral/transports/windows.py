"""Sliding windows: how much was sent recently, and the limits that a reply's headers state.

Libraries count against limits known in advance; these are learned from replies, differ by model, and are corrected by the
remaining amounts that Mistral states.
"""

import math
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import httpx2

BUCKETS = 60
"""Parts of a window, so that its cost does not depend on the rate. A part expires when its last request has left the window,
and one part later: Mistral may count a request a moment later than we do."""

_DIGITS = 9  # of a number of units: int() raises for thousands
_LONGEST_VALUE = 18  # digits: hundreds are infinite
_PARTS = 3  # field, dimension, unit
# Windows that a call can wait for; those of an hour, a day or a month are left to Mistral.
_UNITS = {"second": 1.0, "minute": 60.0}


class Window:
    """A limit per number of seconds, as this process sees it. `limit` is None until it is known."""

    __slots__ = (
        "_buckets",
        "_life",
        "_others",
        "_others_at",
        "_width",
        "cost",
        "fixed",
        "limit",
        "owed",
        "seconds",
        "used",
    )

    def __init__(
        self, seconds: float, limit: float | None = None, cost: float = 0, *, fixed: bool = False
    ) -> None:
        self.seconds = seconds
        self.limit = limit
        self.fixed = fixed
        """The limit is a setting, not to be learned."""
        self.cost = cost
        """The likely amount of one request, if nothing better is known."""
        self.used = 0.0
        self.owed = 0.0
        """What requests used beyond their estimates, which Redis does not know."""
        self._width = seconds / BUCKETS
        self._life = seconds + 2 * self._width
        self._buckets: deque[list[float]] = deque()  # [expiry, amount]
        self._others = self._others_at = 0.0

    def add(self, now: float, amount: float) -> list[float]:
        """Count an amount sent now; the returned bucket is for `correct`."""
        self._forget(now)
        if not self._buckets or self._buckets[-1][0] - self._life + self._width <= now:
            self._buckets.append([now + self._life, 0.0])
        bucket = self._buckets[-1]
        bucket[1] += amount
        self.used += amount
        return bucket

    def correct(self, now: float, bucket: list[float], difference: float) -> None:
        """Correct a counted amount by the difference to the real one."""
        self.owed += max(difference, 0.0)
        self._forget(now)
        if bucket[0] > now:
            bucket[1] += difference
            self.used += difference

    def learn(self, now: float, limit: float, remaining: float | None, used: float) -> None:
        """Learn from headers. Usage that was not ours is spread over the window, since nobody knows when it happened.

        `used` is what was ours when the request was sent; it is unknown whether `remaining` is of then or of now.
        """
        self.limit = limit
        if remaining is not None:
            self._forget(now)
            self._others, self._others_at = max(limit - remaining - max(self.used, used), 0.0), now

    def wait(self, now: float, amount: float, ahead: float = 0.0) -> float:
        """An upper bound of the seconds until `amount` fits, after `ahead` of earlier requests; 0 if it fits now."""
        if not self.limit:
            return 0.0
        self._forget(now)
        others = self._others * max(1 - (now - self._others_at) / self.seconds, 0.0)
        excess = self.used + others + ahead + min(amount, self.limit) - self.limit
        turns = math.ceil(
            max(excess - self.used - others, 0.0) / self.limit
        )  # the requests ahead fill the window this often
        excess -= turns * self.limit
        if excess <= 0:
            return turns * self._life
        if excess <= others:
            waits = [excess * self.seconds / self._others]
        else:
            waits = []
        freed = 0.0
        for expires, held in self._buckets:
            freed += held
            if freed >= excess:
                waits.append(expires - now)
                break
        return turns * self._life + max(min(waits, default=self._life), 0.001)

    def _forget(self, now: float) -> None:
        while self._buckets and self._buckets[0][0] <= now:
            self.used -= self._buckets.popleft()[1]


@dataclass(slots=True)
class Reservation:
    """One request's amount in one window."""

    dimension: str
    window: Window
    amount: float
    ahead: float = 0.0
    """Amount needed by requests queued ahead."""
    bucket: list[float] | None = None
    used: float = 0.0
    """Used of the window, this request included."""


class RateLimitHeaders(NamedTuple):
    """The rate limit headers of a reply, by dimension ("req", "tokens") and by the window's seconds."""

    limits: dict[tuple[str, float], float]
    remaining: dict[tuple[str, float], float]
    costs: dict[str, float]
    """Of this one request."""

    def note(self, meaning: "_Meaning", value: float) -> None:
        window = meaning.dimension, meaning.seconds
        match meaning.what:
            case "limit":
                self.limits[window] = value
            case "remaining":
                self.remaining[window] = value
            case _:
                self.costs[meaning.dimension] = value


def parse_rate_limit_headers(response: httpx2.Response) -> RateLimitHeaders:
    headers = RateLimitHeaders({}, {}, {})
    for name, value in response.headers.raw:
        meaning = _meaning(name)
        if meaning is None:
            continue
        if meaning.what == "cached" and value == b"HIT":
            return RateLimitHeaders(
                {}, {}, {}
            )  # from a cache: the headers are another request's, of some time ago
        if value.replace(b".", b"", 1).isdigit() and len(value) <= _LONGEST_VALUE:
            headers.note(meaning, float(value))
    return headers


class _Meaning(NamedTuple):
    """The meaning of a header: "limit", "remaining", "cost" or "cached", its dimension and its window."""

    what: str
    dimension: str = ""
    seconds: float = 0.0


@lru_cache(maxsize=256)
def _meaning(header: bytes) -> _Meaning | None:
    """`x-ratelimit-remaining-req-10-second` → ("remaining", "req", 10)."""
    name = header.decode("latin-1").lower()
    if name == "cf-aig-cache-status":
        return _Meaning("cached")
    first, *rest = name.removeprefix("x-").split("-")
    if first == "ratelimitbysize":
        return _parse_by_size(rest)
    if first == "ratelimit":
        return _parse(rest)
    return None


def _parse(parts: list[str]) -> _Meaning | None:
    if parts[-2:] == ["query", "cost"]:
        return _Meaning("cost", "-".join(parts[:-2]) or "tokens")
    if len(parts) < _PARTS or parts[0] not in {"limit", "remaining"}:
        return None
    what, *dimension = parts
    unit = _UNITS.get(dimension.pop())
    if dimension[-1].isdecimal():
        if len(dimension[-1]) > _DIGITS:
            return None
        count = int(dimension.pop())
    else:
        count = 1
    if not unit or not dimension or not count:
        return None
    return _Meaning(what, "-".join(dimension), count * unit)


def _parse_by_size(parts: list[str]) -> _Meaning | None:
    """Parse the old headers, about tokens, per minute if they name no window."""
    if parts[-2:] == ["query", "cost"]:
        return _Meaning("cost", "-".join(parts[:-2]) or "tokens")
    match parts:
        case [what]:
            return _parse([what, "tokens", "minute"])
        case [what, unit] if unit in _UNITS:
            return _parse([what, "tokens", unit])
        case _:
            return None
