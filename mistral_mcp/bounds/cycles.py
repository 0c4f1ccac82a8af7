"""Errors without cycles: a frame that holds an error whose traceback holds that frame stays, with all its arguments, until the
garbage collector comes, which counts objects and not their bytes.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar, cast

import anyio
import anyio.to_thread

T = TypeVar("T")


def raise_first(errors: list[Exception]) -> NoReturn:
    """Raise the first, and let go of all."""
    try:
        raise errors[0]
    finally:
        errors.clear()


async def run_in_thread(function: Callable[[], T], limiter: anyio.CapacityLimiter | None = None) -> T:
    """As anyio's, whose future holds an error that holds the future."""
    errors: list[Exception] = []

    def attempt() -> T | None:
        try:
            return function()
        except Exception as error:  # noqa: BLE001 - it is raised again
            errors.append(error)
            return None

    result = await anyio.to_thread.run_sync(attempt, limiter=limiter)
    if errors:
        raise_first(errors)
    return cast("T", result)
