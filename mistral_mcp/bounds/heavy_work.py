"""CPU-bound work in a thread: one piece at a time in this process, and callers take turns.

Python's threads compete with each other, and with the event loop, for the interpreter: several at once would starve the loop.
And one caller's many pieces would delay another caller's only one.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

import anyio
from anyio.lowlevel import RunVar

from mistral_mcp.bounds.cycles import run_in_thread

P = ParamSpec("P")
T = TypeVar("T")


class _Turns:
    """The queue of one event loop."""

    def __init__(self) -> None:
        self.thread = anyio.CapacityLimiter(1)
        self.locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    def lock(self, caller: str) -> anyio.Lock:
        """The caller's lock: whoever holds it may queue, so that a caller has one piece in the queue at most."""
        return self.locks.setdefault(caller, anyio.Lock())


_turns: RunVar[_Turns] = RunVar("turns")
_caller: ContextVar[str] = ContextVar("caller", default="")


def work_for(caller: str) -> None:
    """Attribute this task's work to a caller from now on. `caller` is any text that identifies one."""
    _caller.set(caller)


def current_caller() -> str:
    """Whose work this task's is."""
    return _caller.get()


def turn_for_file() -> anyio.Lock:
    """The lock to hold while a whole file is in memory: each caller loads one at a time."""
    return _turns_here().lock(f"a file of {_caller.get()}")


def _turns_here() -> _Turns:
    turns = _turns.get(None)
    if turns is None:
        turns = _Turns()
        _turns.set(turns)
    return turns


async def run_heavy(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of pure computation in a thread, when it is this caller's turn.

    A cancellation does not interrupt it: split work that takes more than half a second.
    """
    turns = _turns_here()
    async with turns.lock(_caller.get()):
        return await run_in_thread(partial(function, *args, **kwargs), turns.thread)
