"""One record of each finished tool call, and who hears of it: the ledger, audit lines, metrics.

    class Printer:
        def call_ended(self, record: CallRecord) -> None:
            print(record.tool, record.outcome, record.used.cost_usd)

    create_server(settings, credentials, observers=[Printer()])      # `http.app.assemble(…, observers=…)` passes it on

The one place that makes them is `tools/framework/adapter.py`, for every call of a known tool: answered, failed, refused or
broken off. A call of a tool that does not exist, or is not offered, is none.
"""

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BudgetSpent, UpstreamError
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.consumption import NOTHING, Consumption
from mistral_mcp.route import RouteKind

OTHER = "other"
"""In place of a name that is not of a closed set."""

_UNCLEAR = re.compile(r"[^\w.+/() -]", re.ASCII)
_LONGEST_CLIENT = 64  # characters

Outcome = Literal["ok", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A finished tool call. But for `credentials`, nothing in it is secret, content, or an id that the caller wrote."""

    ended_at: float
    """Seconds since 1970."""
    tool: str
    """Always of a tool that exists."""
    model: str | None
    """The model that answered, or that was asked: a name of the published catalogue, else `OTHER`; None where no model
    was asked. A closed set, fit for a label. Of several models the first; `by_model` has all.
    """
    credentials: Credentials | None
    """Whose call it was; None where there were no usable credentials. It holds secrets: never log it."""
    client: str | None
    """Name and version as the MCP client tells them, cut and cleaned; None where it told none."""
    route: RouteKind
    outcome: Outcome
    error: str | None = None
    """The name of the error's class: "RateLimited", "BadArgument", "Cancelled"; "Crash" where it is a bug."""
    status: int | None = None
    """Mistral's last HTTP status; None where it was not reached or not asked."""
    attempts: int = 0
    """The most that one request to Mistral took; 0 where none was begun."""
    ms: float
    request_id: str
    """Ours, one for each call."""
    correlation_id: str | None = None
    """Mistral's, of its last reply."""
    by_model: tuple[Consumption, ...] = ()
    """What was used, by model as Mistral named it: no closed set."""
    used: Consumption = NOTHING
    """The same of all models together. `cost_usd` is None where a price is unknown, and 0 where nothing was used."""
    counts: bool = True
    """False for a call that a budget refused: it was not begun."""

    @property
    def connection_id(self) -> str | None:
        """Of the vault's connection; None for a caller's own key."""
        if self.credentials:
            return self.credentials.connection_id
        return None


class CallObserver(Protocol):
    """Hears of each call when it has ended. It must not fail or wait, and takes no time worth mentioning."""

    def call_ended(self, record: CallRecord) -> None: ...


@dataclass(slots=True)
class RunningCall:
    """A call under way: what is known of it so far, for its record."""

    tool: str
    route: RouteKind
    """The operator's, until the caller's own is known."""
    client: str | None = None
    credentials: Credentials | None = None
    mistral: MistralClient | None = None
    error: BaseException | None = None
    _began: float = field(default_factory=time.perf_counter)

    def record(self) -> CallRecord:
        """At its end."""
        mistral, error = self.mistral, self.error
        status, attempts, correlation_id = _upstream_facts(mistral, error)
        return CallRecord(
            ended_at=time.time(),
            tool=self.tool,
            model=_model_of(mistral),
            credentials=self.credentials,
            client=self.client,
            route=mistral.caller.route.kind if mistral else self.route,
            outcome="error" if error else "ok",
            error=_name_of(error),
            status=status,
            attempts=attempts,
            ms=round((time.perf_counter() - self._began) * 1000, 1),
            request_id=secrets.token_hex(8),
            correlation_id=correlation_id,
            by_model=mistral.meter.used if mistral else (),
            used=mistral.meter.total if mistral else NOTHING,
            counts=not isinstance(error, BudgetSpent),
        )


def client_name(name: str, version: str) -> str:
    """A client's name as a log can hold it."""
    return _UNCLEAR.sub("?", f"{name} {version}".strip()[:_LONGEST_CLIENT])


def _upstream_facts(
    mistral: MistralClient | None, error: BaseException | None
) -> tuple[int | None, int, str | None]:
    """Status, attempts and correlation id; an error knows them best."""
    if mistral is None:
        return None, 0, None
    if isinstance(error, UpstreamError):
        return error.status, max(error.attempts, mistral.attempts), error.correlation_id or mistral.correlation_id
    if mistral.status is None:
        return None, 0, None
    return mistral.status, mistral.attempts, mistral.correlation_id


def _model_of(mistral: MistralClient | None) -> str | None:
    if mistral is None:
        return None
    used = mistral.meter.used
    if used:
        name = used[0].model
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
