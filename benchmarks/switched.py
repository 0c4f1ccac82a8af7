"""`mistral-mcp` whose accounting SIGUSR1 switches off and on: record, ledger, budgets, audit line and metrics of calls.

Each result says what it cost all the while, as before there was any accounting. One process is compared with itself, because
one start differs from the next by as much as accounting costs.
"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from mistral_mcp import server
from mistral_mcp.cli.main import main
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.usage.budgets import Budgets
from mistral_mcp.usage.calls import RunningCall
from mistral_mcp.usage.ended_calls import EndedCalls
from mistral_mcp.usage.ledger import Ledger

STATE = "BENCH_ACCOUNTING"
"""The environment variable that names a file, which says "on" or "off" once the server has switched."""


def end_nothing(self: RunningCall) -> None:
    """Replaces `RunningCall.end`."""


def add_nothing(self: EndedCalls, call: RunningCall) -> None:  # noqa: ARG001 - the signature of what it replaces
    """Replaces `EndedCalls.add`."""
    self.running -= 1


async def write_nothing(self: Ledger) -> None:
    """Replaces `Ledger.flush`, so that usage is written while accounting is on, after as much of that time as otherwise."""


class Accounting:
    def __init__(self, served: Served) -> None:
        self._served = served
        self._budgets = served.budgets
        self._end, self._add, self._flush = RunningCall.end, EndedCalls.add, Ledger.flush
        self._is_on = True
        self._state = Path(os.environ[STATE])

    def switch(self) -> None:
        self._is_on = not self._is_on
        if self._is_on:
            RunningCall.end, EndedCalls.add, Ledger.flush = self._end, self._add, self._flush
            self._set("on", self._budgets)
        else:
            # What is left of the calls until now must not be paid for while accounting is off.
            self._served.ledger.ended.settle()
            RunningCall.end, EndedCalls.add, Ledger.flush = end_nothing, add_nothing, write_nothing
            self._set("off", None)

    def _set(self, state: str, budgets: Budgets | None) -> None:
        # Frozen for the program; no call is running that would see it change.
        vars(self._served).update(budgets=budgets)
        self._state.write_text(state, encoding="ascii")


def serve_switchable(*members: Any) -> Served:
    """Replaces `Served`."""
    served = Served(*members)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, Accounting(served).switch)
    return served


if __name__ == "__main__":
    setattr(server, "Served", serve_switchable)  # noqa: B010 - of another type
    main()
