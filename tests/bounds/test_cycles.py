"""Objects in the frames of an error are freed with the error."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mistral_mcp.bounds.cycles import raise_first, run_in_thread


class Large:
    """What a frame holds."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


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
