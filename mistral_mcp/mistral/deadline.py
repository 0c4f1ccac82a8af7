"""A deadline for what happens inside of it."""

from collections.abc import Callable
from types import TracebackType

import anyio

from mistral_mcp.errors import UpstreamError


class Deadline:
    """A context that ends with an error when its time is up. A class, because `contextlib` costs as much as the scope does."""

    def __init__(self, ends_at: float, error: Callable[[], UpstreamError]) -> None:
        self._scope = anyio.CancelScope(deadline=ends_at)
        self._error = error

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught:
            raise self._error()
