"""Who is held down with whom."""

import pytest

from mistral_mcp.errors import TooManyFailures
from mistral_mcp.hosting.web.throttle import Throttle


def wait_after_failure(throttle: Throttle, address: str) -> float | None:
    """Seconds to stay away; None: not yet."""
    try:
        throttle.fail(address, "a reason")
    except TooManyFailures as error:
        return error.retry_after
    return None


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("unknown", "192.0.2.1", False),
    ],
)
def test_an_address_answers_for_itself_and_for_its_own_network(one: str, other: str, *, together: bool):
    throttle = Throttle(per_minute=3, clock=lambda: 0.0)
    assert [wait_after_failure(throttle, one) for _ in range(4)] == [None, None, None, 20.0]

    assert (wait_after_failure(throttle, other) is not None) is together


def test_time_forgives():
    now = 0.0
    throttle = Throttle(per_minute=3, clock=lambda: now)
    for _ in range(5):
        wait_after_failure(throttle, "192.0.2.1")
    now = 20.0
    throttle.check("192.0.2.1")
    assert [wait_after_failure(throttle, "192.0.2.1") for _ in range(2)] == [None, 20.0]
