"""`mistral-mcp` without what counts calls: no meter, no record, no ledger, no budgets, no audit line, no metrics of calls."""

from dataclasses import replace
from typing import Any

from mistral_mcp import server
from mistral_mcp.cli.main import main
from mistral_mcp.mistral.api.chat import ChatReply, Completion
from mistral_mcp.mistral.consumption import Meter
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.usage.calls import RunningCall


def unmetered(_call: Completion, _reply: ChatReply, _meter: Meter) -> None:
    """In place of `Completion.measure`."""


def unrecorded(_running: RunningCall) -> None:
    """In place of `RunningCall.record`."""


def unheard(*members: Any) -> Served:
    """In place of `Served`."""
    return replace(Served(*members), budgets=None, observers=())


if __name__ == "__main__":
    for place, name, nothing in (
        (Completion, "measure", unmetered),
        (RunningCall, "record", unrecorded),
        (server, "Served", unheard),
    ):
        setattr(place, name, nothing)
    main()
