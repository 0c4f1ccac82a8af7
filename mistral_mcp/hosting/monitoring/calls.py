"""Metrics of each finished tool call: tool, model, outcome, error, usage and cost."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from mistral_mcp import errors
from mistral_mcp.hosting.monitoring.metrics import OTHER, Metrics
from mistral_mcp.usage.calls import CallRecord, Outcome
from mistral_mcp.usage.sums import Sums

_MOST_MODELS = 16
_MOST_PAIRS = 48
LabelT = TypeVar("LabelT")
_ERRORS = frozenset(vars(errors)) | {"Cancelled", "MCPError"}


class CallMetrics:
    """A `CallObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # A caller may use every model of the catalogue with every tool: only the first combinations get labels.
        self._models = _First[str](_MOST_MODELS)
        self._pairs = _First[tuple[str, str]](_MOST_PAIRS)

    def calls_ended(self, records: Sequence[CallRecord]) -> None:
        metrics = self._metrics
        # Added up first: most calls of a moment are alike, and each counter has a lock.
        added: dict[tuple[str, str | None, Outcome], Sums] = {}
        for record in records:
            metrics.tool_seconds(record.outcome).observe(record.ms / 1000)
            if record.error:
                metrics.tool_errors(_error_label(record.error)).inc()
            if record.used.cost_usd is None:
                metrics.unpriced.inc()
            key = (record.tool, record.model, record.outcome)
            sums = added.get(key)
            if sums is None:
                sums = added[key] = Sums()
            sums.calls += 1
            sums.add_usage(record.used)
        for (tool, model, outcome), sums in added.items():
            metrics.tool_calls(tool, self._model_label(tool, model), outcome).inc(sums.calls)
            self._count_use(model, sums)

    def _model_label(self, tool: str, model: str | None) -> str:
        if model is None:
            return "none"
        if self._pairs.admit((tool, model)):
            return model
        return OTHER

    def _count_use(self, model: str | None, used: Sums) -> None:
        metrics, label = self._metrics, model or "none"
        if model and not self._models.admit(model):
            label = OTHER
        for kind, amount in (
            ("prompt", used.prompt_tokens - used.cached_tokens),
            ("cached", used.cached_tokens),
            ("completion", used.completion_tokens),
        ):
            if amount > 0:
                metrics.tokens(label, kind).inc(amount)
        if used.cost > 0:
            metrics.cost_usd(label).inc(used.cost_usd)


def _error_label(error: str) -> str:
    """The error's class as a label; classes that are not ours are bugs."""
    if error in _ERRORS:
        return error
    return "Crash"


class _First(Generic[LabelT]):
    """Admits a bounded number of labels: the first ones."""

    def __init__(self, most: int) -> None:
        self._admitted: set[LabelT] = set()
        self._most = most

    def admit(self, label: LabelT) -> bool:
        if label in self._admitted:
            return True
        if len(self._admitted) == self._most:
            return False
        self._admitted.add(label)
        return True
