"""Objects in the frames of an error are freed with the error."""

import weakref
from contextlib import suppress

import pytest

from mistral_mcp.bounds.cycles import raise_first, run_in_thread

pytestmark = pytest.mark.usefixtures("no_collector")


class Large:
    """What a frame holds."""


async def test_what_failed_in_a_thread_holds_nothing_once_it_was_handled() -> None:
    held: list[weakref.ref[Large]] = []

    def fail() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise ValueError

    with suppress(ValueError):
        await run_in_thread(fail)

    assert held[0]() is None


def test_of_several_errors_the_first_is_raised_and_none_is_held() -> None:
    def fail() -> weakref.ref[Large]:
        large = Large()
        errors: list[Exception] = [ValueError(), TypeError()]
        held.append(weakref.ref(large))
        raise_first(errors)

    held: list[weakref.ref[Large]] = []
    with suppress(ValueError):
        fail()

    assert held[0]() is None
