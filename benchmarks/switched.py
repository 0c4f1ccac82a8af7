"""`mistral-mcp` without accounting: no record, no ledger, no budgets, no audit line, no metrics of calls.

Each result still says what it cost, as before there was any accounting.
"""

from dataclasses import replace
from typing import Any

from mistral_mcp import server
from mistral_mcp.cli.main import main
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.usage.calls import RunningCall


def skip_record(_running: RunningCall) -> None:
    """Replaces `RunningCall.record`."""


def serve_without_observers(*members: Any) -> Served:
    """Replaces `Served`."""
    return replace(Served(*members), budgets=None, observers=())


if __name__ == "__main__":
    for place, name, nothing in (
        (RunningCall, "record", skip_record),
        (server, "Served", serve_without_observers),
    ):
        setattr(place, name, nothing)
    main()
