"""Counts each exchange with Mistral once it has ended: how long, which status, how often again, how long it waited."""

from mistral_mcp.hosting.monitoring.metrics import OTHER, Metrics, status_label
from mistral_mcp.mistral.transports.exchange import Exchange

_APIS = frozenset(
    {"agents", "audio", "batch", "chat", "conversations", "embeddings", "files", "fim", "models", "ocr"}
)
"""Sections of Mistral's API that are told apart: those that cost money, or are asked for much."""
_WAIT = 0.001  # seconds; less is no wait for a turn


class ExchangeMetrics:
    """An `ExchangeObserver`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def exchange_ended(self, exchange: Exchange, status: int | None, seconds: float) -> None:
        metrics = self._metrics
        waited = exchange.queued_seconds
        if exchange.queued:  # until its deadline, or it was refused a turn
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
