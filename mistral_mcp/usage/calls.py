"""Running tool calls, and the record of each that has ended.

Every call of a known tool has a record, by `tools/framework/adapter.py`: answered, failed, refused or cancelled. A call of a
tool that does not exist, or is not offered, has none.
"""

import os
import re
import time
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BudgetSpent, UpstreamError
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.consumption import NOTHING, Consumption, add_all
from mistral_mcp.route import RouteKind

OTHER = "other"
"""Replaces names outside of the closed set."""

_UNCLEAR = re.compile(r"[^\w.+/() -]", re.ASCII)
_LONGEST_CLIENT = 64  # characters

Outcome = Literal["ok", "error"]


class CallRecord(NamedTuple):
    """A finished tool call. Except for `credentials`, it holds no secrets, no content and no ids from the caller."""

    ended_at: float
    """Seconds since 1970."""
    tool: str
    """Name of an existing tool."""
    model: str | None
    """The model that answered, else the requested one: a name of the published catalogue, else `OTHER`; None if the call used
    no model. A closed set, fit for a label. The first, if there are several; `by_model` has all.
    """
    credentials: Credentials | None
    """The caller's; None if there were no usable credentials. They hold secrets: never log them."""
    client: str | None
    """Name and version that the MCP client sent, shortened and cleaned; None if it sent none."""
    route: RouteKind
    outcome: Outcome
    ms: float
    request_id: str
    """Our own id of this call."""
    error: str | None = None
    """The name of the error's class: "RateLimited", "BadArgument", "Cancelled"; "Crash" where it is a bug."""
    status: int | None = None
    """Mistral's last HTTP status; None without a response."""
    attempts: int = 0
    """The most attempts that one request to Mistral took; 0 without requests."""
    correlation_id: str | None = None
    """Mistral's correlation id, of its last reply."""
    by_model: tuple[Consumption, ...] = ()
    """Usage by model, as Mistral named it: not a closed set."""
    used: Consumption = NOTHING
    """Usage of all models together. `cost_usd` is None if a price is unknown, and 0 if nothing was used."""
    counts: bool = True
    """False for a call that a budget refused: it did not start."""

    @property
    def connection_id(self) -> str | None:
        """Id of the vault's connection; None for a caller's own key."""
        if self.credentials:
            return self.credentials.connection_id
        return None


@dataclass(slots=True)
class RunningCall:
    """A running call: what is known so far, for its record."""

    tool: str
    route: RouteKind
    """The operator's route, until the caller's own is known."""
    client: str | None = None
    credentials: Credentials | None = None
    mistral: MistralClient | None = None
    error: BaseException | None = None
    began: float = field(default_factory=time.perf_counter)
    # Known at its end.
    ended_at: float = 0.0
    seconds: float = 0.0
    used: tuple[Consumption, ...] = ()
    """By model."""
    upstream: Upstream | None = None
    requested_model: str = ""
    status: int | None = None
    attempts: int = 0
    correlation_id: str | None = None
    error_name: str | None = None
    counts: bool = True

    def end(self) -> None:
        """Note what its record needs of objects that are dropped now: the client holds replies, the error its frames."""
        self.ended_at, self.seconds = time.time(), time.perf_counter() - self.began
        mistral, error = self.mistral, self.error
        self.mistral = self.error = None
        if mistral is not None:
            self.upstream, self.route = mistral.upstream, mistral.caller.route.kind
            self.used, self.requested_model = mistral.meter.used, mistral.last_model
            if mistral.status is not None:
                self.status, self.attempts = mistral.status, mistral.attempts
                self.correlation_id = mistral.correlation_id
        if error is not None:
            self._note_error(error)

    def _note_error(self, error: BaseException) -> None:
        name = type(error).__name__
        self.error_name = {"CancelledError": "Cancelled", "_Crash": "Crash"}.get(name, name)
        self.counts = not isinstance(error, BudgetSpent)
        if isinstance(error, UpstreamError):
            self.status = error.status
            self.attempts = max(error.attempts, self.attempts)
            self.correlation_id = error.correlation_id or self.correlation_id

    def record(self) -> CallRecord:
        """Its record, once it has ended."""
        return CallRecord(
            ended_at=self.ended_at,
            tool=self.tool,
            model=self._model_name(),
            credentials=self.credentials,
            client=self.client,
            route=self.route,
            outcome="error" if self.error_name else "ok",
            error=self.error_name,
            status=self.status,
            attempts=self.attempts,
            ms=round(self.seconds * 1000, 1),
            request_id=_new_id(),
            correlation_id=self.correlation_id,
            by_model=self.used,
            used=add_all(self.used),
            counts=self.counts,
        )

    def _model_name(self) -> str | None:
        name = self.requested_model
        if self.used:
            name = self.used[0].model
        if not name or self.upstream is None:
            return None
        if self.upstream.catalog.is_published(name):
            return name
        return OTHER


def client_name(name: str, version: str) -> str:
    """A client's name, made safe for a log."""
    return _UNCLEAR.sub("?", f"{name} {version}".strip()[:_LONGEST_CLIENT])


def _new_id() -> str:
    """It tells the lines of two calls apart.

    From the system rather than from `random`, whose state belongs to the program that runs the server: records are built
    while something else may be drawing from it.
    """
    return os.urandom(8).hex()
