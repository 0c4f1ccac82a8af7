"""`mistral-mcp` whose accounting SIGUSR1 switches off and on: record, ledger, budgets, audit line and metrics of calls.

Each result says what it cost all the while, as before there was any accounting. One process is compared with itself, because
one start differs from the next by as much as accounting costs.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mistral_mcp import server
from mistral_mcp.cli.main import main
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.usage.calls import CallGroups, RunningCall

STATE = "BENCH_ACCOUNTING"
"""The environment variable that names a file, which says "on" or "off" once the server has switched."""


def skip_record(_running: RunningCall) -> None:
    """Replaces `RunningCall.record`."""


class Accounting:
    def __init__(self, served: Served) -> None:
        self._served = served
        self._parts = {"budgets": served.budgets, "observers": served.observers}
        self._record = RunningCall.record
        self._state = Path(os.environ[STATE])
        self._switching: asyncio.Task[None] | None = None

    def start_to_switch(self) -> None:
        self._switching = asyncio.create_task(self._switch())

    async def _switch(self) -> None:
        if self._served.observers:
            await self._finish()
            self._set("off", skip_record, {"budgets": None, "observers": ()})
        else:
            self._set("on", self._record, self._parts)

    def _set(self, state: str, record: Callable[[RunningCall], object], parts: Mapping[str, object]) -> None:
        # Frozen for the program; no call is running that would see it change.
        vars(self._served).update(parts)
        setattr(RunningCall, "record", record)  # noqa: B010 - of another type
        self._state.write_text(state, encoding="ascii")

    async def _finish(self) -> None:
        """Do what is left of the calls until now, so that nothing of it is paid for while accounting is off."""
        for observer in self._served.observers:
            if isinstance(observer, CallGroups):
                observer.settle()
        await self._served.ledger.flush()


def serve_switchable(*members: Any) -> Served:
    """Replaces `Served`."""
    served = Served(*members)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, Accounting(served).start_to_switch)
    return served


if __name__ == "__main__":
    setattr(server, "Served", serve_switchable)  # noqa: B010 - of another type
    main()
