"""Metrics of each finished tool call: tool, model, outcome, error, usage and cost."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from mistral_mcp import errors
from mistral_mcp.hosting.monitoring.metrics import OTHER, Metrics
from mistral_mcp.usage.calls import CallRecord

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
        for record in records:
            self._count(record)

    def _count(self, record: CallRecord) -> None:
        metrics = self._metrics
        metrics.tool_calls(record.tool, self._model_of(record), record.outcome).inc()
        metrics.tool_seconds(record.outcome).observe(record.ms / 1000)
        if record.error:
            metrics.tool_errors(_error_label(record.error)).inc()
        self._count_use(record)

    def _model_of(self, record: CallRecord) -> str:
        if record.model is None:
            return "none"
        if self._pairs.admit((record.tool, record.model)):
            return record.model
        return OTHER

    def _count_use(self, record: CallRecord) -> None:
        used, metrics = record.used, self._metrics
        model = record.model or "none"
        if record.model and not self._models.admit(record.model):
            model = OTHER
        for kind, amount in (
            ("prompt", used.prompt_tokens - used.cached_tokens),
            ("cached", used.cached_tokens),
            ("completion", used.completion_tokens),
        ):
            if amount > 0:
                metrics.tokens(model, kind).inc(amount)
        if used.cost_usd is None:
            metrics.unpriced.inc()
        elif used.cost_usd > 0:
            metrics.cost_usd(model).inc(used.cost_usd)


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
