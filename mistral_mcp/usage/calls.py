"""A record of each finished tool call, and its observers: the ledger, audit lines, metrics.

    class Printer:
        def call_ended(self, record: CallRecord) -> None:
            print(record.tool, record.outcome, record.used.cost_usd)

    create_server(settings, credentials, observers=[Printer()])      # `http.app.assemble(…, observers=…)` passes it on

Records are made in `tools/framework/adapter.py` only, for every call of a known tool: answered, failed, refused or
cancelled. A call of a tool that does not exist, or is not offered, has none.
"""

import asyncio
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BudgetSpent, UpstreamError
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.consumption import NOTHING, Consumption
from mistral_mcp.route import RouteKind

OTHER = "other"
"""Replaces names outside of the closed set."""

_UNCLEAR = re.compile(r"[^\w.+/() -]", re.ASCII)
_LONGEST_CLIENT = 64  # characters

MOMENT = 0.05
"""Seconds after which ended calls are taken together. If the process is killed, those of the last moment are lost."""

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


class CallObserver(Protocol):
    """Is called when a tool call has ended. It must not fail or wait, and must be fast."""

    def call_ended(self, record: CallRecord) -> None: ...


class CallGroups(ABC):
    """A `CallObserver` that takes the calls of a moment together.

    Within the call the processor would have to load each observer's code and data anew, which takes twice as long.
    """

    def __init__(self) -> None:
        self._ended: list[CallRecord] = []

    def call_ended(self, record: CallRecord) -> None:
        if not self._ended:
            # In a context of its own: else all of them would be logged within the first one's trace.
            asyncio.get_running_loop().call_later(MOMENT, self.settle, context=Context())
        self._ended.append(record)

    def settle(self) -> None:
        """Take all calls that have ended until now."""
        ended, self._ended = self._ended, []
        if ended:
            self.take(ended)

    @abstractmethod
    def take(self, ended: Sequence[CallRecord]) -> None: ...


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
    _began: float = field(default_factory=time.perf_counter)

    def record(self) -> CallRecord:
        """The record, once the call has ended."""
        mistral, error = self.mistral, self.error
        by_model: tuple[Consumption, ...] = ()
        used = NOTHING
        if mistral:
            by_model, used = mistral.meter.used, mistral.meter.total
        status, attempts, correlation_id = _upstream_facts(mistral, error)
        return CallRecord(
            ended_at=time.time(),
            tool=self.tool,
            model=_model_of(mistral, by_model),
            credentials=self.credentials,
            client=self.client,
            route=mistral.caller.route.kind if mistral else self.route,
            outcome="error" if error else "ok",
            error=_name_of(error),
            status=status,
            attempts=attempts,
            ms=round((time.perf_counter() - self._began) * 1000, 1),
            request_id=_new_id(),
            correlation_id=correlation_id,
            by_model=by_model,
            used=used,
            counts=not isinstance(error, BudgetSpent),
        )


def client_name(name: str, version: str) -> str:
    """A client's name, made safe for a log."""
    return _UNCLEAR.sub("?", f"{name} {version}".strip()[:_LONGEST_CLIENT])


def _new_id() -> str:
    """It tells the lines of two calls apart, and gives access to nothing: it need not be hard to guess.

    Python seeds `random` from the system, also after a fork.
    """
    return f"{random.getrandbits(64):016x}"


def _upstream_facts(
    mistral: MistralClient | None, error: BaseException | None
) -> tuple[int | None, int, str | None]:
    """Status, attempts and correlation id; taken from the error, if there is one."""
    if mistral is None:
        return None, 0, None
    if isinstance(error, UpstreamError):
        return error.status, max(error.attempts, mistral.attempts), error.correlation_id or mistral.correlation_id
    if mistral.status is None:
        return None, 0, None
    return mistral.status, mistral.attempts, mistral.correlation_id


def _model_of(mistral: MistralClient | None, by_model: tuple[Consumption, ...]) -> str | None:
    if mistral is None:
        return None
    if by_model:
        name = by_model[0].model
    else:
        name = mistral.last_model
    if not name:
        return None
    if mistral.catalog.is_published(name):
        return name
    return OTHER


def _name_of(error: BaseException | None) -> str | None:
    if error is None:
        return None
    name = type(error).__name__
    return {"CancelledError": "Cancelled", "_Crash": "Crash"}.get(name, name)
