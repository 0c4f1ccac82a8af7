"""Which addresses share a rate limit."""

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


@pytest.mark.parametrize(
    ("address", "refused"),
    [("2001:db8::2", True), ("2001:db8:0:1::1", False), ("2001:db8:1::1", False), ("192.0.2.1", False)],
)
def test_clients_that_register_are_counted_for_their_network(address: str, *, refused: bool):
    throttle = Throttle(registrations_per_hour=3, clock=lambda: 0.0)
    for _ in range(3):
        throttle.count_registration("2001:db8::1")

    if refused:
        with pytest.raises(TooManyFailures):
            throttle.count_registration(address)
    else:
        throttle.count_registration(address)


def test_whoever_has_many_networks_registers_three_times_as_many_and_no_more():
    throttle = Throttle(registrations_per_hour=3, clock=lambda: 0.0)
    for number in range(9):
        throttle.count_registration(f"2001:db8:0:{number}::1")

    with pytest.raises(TooManyFailures):
        throttle.count_registration("2001:db8:0:ffff::1")
