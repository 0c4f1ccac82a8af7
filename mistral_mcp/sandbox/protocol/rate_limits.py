"""Rate limits for each key and model: a sliding window of one minute, reported in the `x-ratelimit-*` headers."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mistral_mcp.sandbox.protocol.errors import refusal

WINDOW = 60.0
"""Seconds."""

UNLIMITED_REQUESTS = 1_000_000
UNLIMITED_TOKENS = 1_000_000_000
"""The limits in the headers when nothing is enforced: too high to slow a client down."""


@dataclass(frozen=True)
class Limits:
    """Requests and tokens allowed in a minute; None is not enforced."""

    requests: int | None = None
    tokens: int | None = None


@dataclass
class Meter:
    """One key's use of one model."""

    limits: Limits
    now: Callable[[], float]
    _requests: deque[float] = field(default_factory=deque[float])
    _tokens: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    _spent: int = 0

    def admit(self) -> None:
        """Count one request, or refuse it with 429. A refused one does not count."""
        self._drop_old()
        requests, tokens = self.limits.requests, self.limits.tokens
        if requests is not None and len(self._requests) >= requests:
            # Without the token headers, the caller knows that it is the request limit that was reached.
            raise self._refuse(self._request_headers())
        if tokens is not None and self._spent >= tokens:
            raise self._refuse({**self._token_headers(), **self._request_headers()})
        self._requests.append(self.now())

    def spend(self, tokens: int) -> None:
        """Count the tokens of a reply."""
        self._tokens.append((self.now(), tokens))
        self._spent += tokens

    def headers(self, cost: int, *, token_quota: bool = True) -> dict[str, str]:
        """The headers of a reply that used `cost` tokens."""
        quota = {}
        if token_quota:
            quota = self._token_headers()
        return {
            **quota,
            "x-ratelimit-tokens-query-cost": str(cost),
            **self._request_headers(),
        }

    def unit_headers(self, unit: str, cost: int) -> dict[str, str]:
        """The headers of a reply that is counted in pages, seconds or characters, for which no limit is enforced."""
        return {
            f"x-ratelimit-limit-{unit}-minute": str(UNLIMITED_TOKENS),
            f"x-ratelimit-remaining-{unit}-minute": str(UNLIMITED_TOKENS - cost),
            f"x-ratelimit-{unit}-query-cost": str(cost),
            **self._request_headers(),
        }

    def _refuse(self, headers: Mapping[str, str]) -> Exception:
        return refusal(429, "Rate limit exceeded", "rate_limited", "1300", headers)

    def _request_headers(self) -> dict[str, str]:
        limit = self.limits.requests
        if limit is None:
            limit = UNLIMITED_REQUESTS
        return {
            "x-ratelimit-limit-req-minute": str(limit),
            "x-ratelimit-remaining-req-minute": str(max(limit - len(self._requests), 0)),
        }

    def _token_headers(self) -> dict[str, str]:
        limit = self.limits.tokens
        if limit is None:
            limit = UNLIMITED_TOKENS
        return {
            "x-ratelimit-limit-tokens-minute": str(limit),
            "x-ratelimit-remaining-tokens-minute": str(max(limit - self._spent, 0)),
        }

    def _drop_old(self) -> None:
        horizon = self.now() - WINDOW
        while self._requests and self._requests[0] <= horizon:
            self._requests.popleft()
        while self._tokens and self._tokens[0][0] <= horizon:
            self._spent -= self._tokens.popleft()[1]
