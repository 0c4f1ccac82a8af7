"""Metrics of each exchange with Mistral: duration, status, retries, time in the queue."""

from mistral_mcp.hosting.monitoring.metrics import OTHER, Metrics, status_label
from mistral_mcp.mistral.transports.exchange import Exchange

_APIS = frozenset(
    {"agents", "audio", "batch", "chat", "conversations", "embeddings", "files", "fim", "models", "ocr"}
)
"""Sections of Mistral's API with their own label: those that cost money, or are used often."""
_WAIT = 0.001  # seconds; less is not counted as a wait


class ExchangeMetrics:
    """An `ExchangeObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def exchange_ended(self, exchange: Exchange, status: int | None, seconds: float) -> None:
        metrics = self._metrics
        waited = exchange.queued_seconds
        if exchange.queued:  # until its deadline, or until it was refused
            outcome = "unsent"
        else:
            outcome = status_label(status)
        metrics.upstream_exchanges(exchange.caller.route.kind, outcome).inc()
        if not exchange.queued:
            exemplar = None
            if exchange.trace_id:
                exemplar = {"trace_id": exchange.trace_id}
            duration = metrics.upstream_seconds(_api(exchange.operation))
            duration.observe(max(seconds - waited, 0), exemplar)
        if exchange.attempts > 1:
            metrics.upstream_retries.inc(exchange.attempts - 1)
        if waited > _WAIT:
            metrics.pacing_waits.inc()
            metrics.pacing_seconds.inc(waited)


def _api(operation: str) -> str:
    """The section of the API: "files" of "GET /v1/files/{file_id}"."""
    segments = operation.partition(" ")[2].split("/")
    if len(segments) > 2 and segments[2] in _APIS:  # noqa: PLR2004 - "", "v1", the section
        return segments[2]
    return OTHER
