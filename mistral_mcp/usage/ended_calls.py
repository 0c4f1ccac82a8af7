"""Observers of calls that have ended: the ledger, audit lines, metrics.

    class Printer:
        def calls_ended(self, records: Sequence[CallRecord]) -> None:
            for record in records:
                print(record.tool, record.outcome, record.used.cost_usd)

    create_server(settings, credentials, observers=[Printer()])

`http.app.assemble` takes observers, too.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Protocol

from mistral_mcp.usage.calls import CallRecord, RunningCall
from mistral_mcp.usage.span_usage import IN_SPAN, write_on_span

MOMENT = 0.05
"""Seconds after which ended calls are told of together. If the process is killed, those of the last moment are lost."""


class CallObserver(Protocol):
    """Is told of tool calls that have ended. It must not fail or wait, and must be fast."""

    def calls_ended(self, records: Sequence[CallRecord]) -> None: ...


class EndedCalls:
    """Tells observers of the calls that have ended: of one that ran alone at once, of others those of a moment together.

    Among other calls the processor would have to load each observer's code and data anew, which takes twice as long.
    """

    def __init__(self, *observers: CallObserver) -> None:
        self._observers = list(observers)
        self._ended: list[RunningCall] = []
        self.running = 0
        """How many calls have begun, and are not added yet."""
        self._last_end = 0.0  # by the clock of `RunningCall.began`

    def add_observers(self, *observers: CallObserver) -> None:
        self._observers += observers

    def add(self, call: RunningCall) -> None:
        if IN_SPAN.get():
            write_on_span(call)
        self.running -= 1
        self._ended.append(call)
        ran_alone = not self.running and call.began > self._last_end
        self._last_end = call.began + call.seconds
        # In a context of its own: else all of them would be logged within the first one's trace.
        if ran_alone:
            asyncio.get_running_loop().call_soon(self.settle, context=Context())
        elif len(self._ended) == 1:
            asyncio.get_running_loop().call_later(MOMENT, self.settle, context=Context())

    def settle(self) -> None:
        """Tell of all calls that have ended until now."""
        ended, self._ended = self._ended, []
        if ended:
            records = [call.record() for call in ended]
            for observer in self._observers:
                observer.calls_ended(records)
