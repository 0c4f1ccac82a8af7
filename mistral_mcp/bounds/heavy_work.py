"""CPU-bound work beside the event loop: one piece at a time in this process, and callers take turns.

Threads of Python take the interpreter from each other, and from the event loop: several at once would leave it a small share
of its time. And one caller's many pieces would keep another caller's one waiting.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

P = ParamSpec("P")
T = TypeVar("T")


class _Turns:
    """Of one event loop: who waits."""

    def __init__(self) -> None:
        self.thread = anyio.CapacityLimiter(1)
        self.locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    def lock(self, caller: str) -> anyio.Lock:
        """With it a caller has one piece in the queue for the thread, however many it brings."""
        return self.locks.setdefault(caller, anyio.Lock())


_turns: RunVar[_Turns] = RunVar("turns")
_caller: ContextVar[str] = ContextVar("caller", default="")


def work_for(caller: str) -> None:
    """From now on this task's work is this caller's. `caller` tells callers apart and means nothing else."""
    _caller.set(caller)


def turn_for_file() -> anyio.Lock:
    """To be held while a whole file is taken into memory: each caller takes one at a time."""
    return _turns_here().lock(f"a file of {_caller.get()}")


def _turns_here() -> _Turns:
    turns = _turns.get(None)
    if turns is None:
        turns = _Turns()
        _turns.set(turns)
    return turns


async def run_heavy(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of pure computation in a thread, when it is this caller's turn.

    It is not interrupted by a cancellation: what takes more than half a second comes in pieces.
    """
    turns = _turns_here()
    async with turns.lock(_caller.get()):
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=turns.thread)
