"""Rate limits per client address: refused credentials, guesses of the sign-up code, new connections, new OAuth clients.

A valid token is never refused for its address: a hosted client's users all come from a few.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from mistral_mcp.errors import RefusedCredential, RevokedOrExpired, TooManyFailures
from mistral_mcp.hosting.web.rate_limits import RateLimit

_MINUTE, _HOUR = 60.0, 3600.0
_ALL = "all"


class Throttle:
    """Counts events by client address. `count` is called with the reason of each failure."""

    def __init__(
        self,
        count: Callable[[str], object] = lambda _reason: None,
        *,
        per_minute: int = 20,
        signups_per_hour: int = 30,
        registrations_per_hour: int = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._failures = RateLimit(per_minute, _MINUTE, clock)
        # A rented /48 has 65,536 networks, and an attacker may have many addresses.
        self._guesses = (
            RateLimit(per_minute, _MINUTE, clock),
            RateLimit(3 * per_minute, _MINUTE, clock),
            RateLimit(15 * per_minute, _MINUTE, clock),
        )
        self._signups = (RateLimit(signups_per_hour, _HOUR, clock), RateLimit(3 * signups_per_hour, _HOUR, clock))
        self._registrations = (
            RateLimit(registrations_per_hour, _HOUR, clock),
            RateLimit(3 * registrations_per_hour, _HOUR, clock),
        )
        self._fetches = (RateLimit(per_minute, _MINUTE, clock), RateLimit(3 * per_minute, _MINUTE, clock))

    def check(self, address: str) -> None:
        """Raises `TooManyFailures` if too many credentials from the address were refused."""
        _refuse(self._failures.wait(_network(address)))

    def fail(self, address: str, reason: str) -> None:
        """Count a failure. Raises `TooManyFailures` if there were too many already."""
        self._count(reason)
        self.check(address)
        self._failures.add(_network(address))

    @contextmanager
    def counting(self, address: str) -> Generator[None]:
        """Counts credentials refused in its body. Raises `TooManyFailures` in place of these if there are too many."""
        try:
            yield
        except (RevokedOrExpired, RefusedCredential) as error:
            self.fail(address, type(error).__name__)
            raise

    def fail_guess(self, address: str) -> None:
        """Count a wrong sign-up code, for the address, for its /48 and in total. Raises `TooManyFailures`."""
        self._count("SignupCode")
        names = (_network(address), _site(address), _ALL)
        for limit, name in zip(self._guesses, names, strict=True):
            _refuse(limit.wait(name))
        _add(self._guesses, names)

    def check_signup(self, address: str) -> None:
        """Raises `TooManyFailures` if too many connections were created from the address, or its /48."""
        for limit, name in zip(self._signups, (_network(address), _site(address)), strict=True):
            _refuse(limit.wait(name), "Too many connections were created from this address.")

    def add_signup(self, address: str) -> None:
        _add(self._signups, (_network(address), _site(address)))

    def count_registration(self, address: str) -> None:
        """Count an OAuth client that registers itself. Raises `TooManyFailures` if too many did, also from its /48."""
        names = (_network(address), _site(address))
        for limit, name in zip(self._registrations, names, strict=True):
            _refuse(limit.wait(name), "Too many clients were registered from this address.")
        _add(self._registrations, names)

    def may_fetch(self, address: str) -> bool:
        """Count the fetch of a document that a request names, if the address, and its /48, did not cause too many.

        Else anybody could have this server send requests to others.
        """
        names = (_network(address), _site(address))
        if any(limit.wait(name) for limit, name in zip(self._fetches, names, strict=True)):
            return False
        _add(self._fetches, names)
        return True


def _add(limits: Sequence[RateLimit], names: Sequence[str]) -> None:
    for limit, name in zip(limits, names, strict=True):
        limit.add(name)


def _refuse(seconds: float, what: str = "") -> None:
    if seconds:
        raise TooManyFailures(seconds, what)


def _network(address: str) -> str:
    """An IPv6 user's whole /64; IPv4 addresses may be mapped to IPv6 by a dual-stack socket."""
    return _prefix(address, 19)


def _site(address: str) -> str:
    """The /48 of an IPv6 address."""
    return _prefix(address, 14)


def _prefix(address: str, characters: int) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or parsed.exploded[:characters])
