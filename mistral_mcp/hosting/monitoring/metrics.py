"""The metrics, and the page that shows them.

Every label is from a closed set: clients could send any value, and each new one would stay in memory.
"""

import hmac
from collections.abc import Callable, Iterator
from functools import cache
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.http.responses import json_rpc_error
from mistral_mcp.route import LOOPBACK

OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STATUSES = frozenset(str(int(status)) for status in HTTPStatus) | {"499", "529"}
_SECONDS = (0.01, 0.05, 0.25, 1, 2.5, 10, 60, 600)
_UPSTREAM_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600)
_OPENMETRICS = "application/openmetrics-text"

_KINDS = {
    "/mcp": "mcp",
    "/c": "mcp",
    "/connections": "connections",
    "/authorize": "oauth",
    "/token": "oauth",
    "/register": "oauth",
    "/revoke": "oauth",
    "/consent": "oauth",
    "/.well-known": "oauth",
    "/uploads": "files",
    "/results": "files",
    "/healthz": "health",
    "/readyz": "health",
    "/metrics": "health",
}
"""Kinds of routes by their first segment; all others are pages."""


def method_label(method: str) -> str:
    """An HTTP method of the known ones: clients could send any."""
    if method in _METHODS:
        return method
    return OTHER


def status_label(status: int | None) -> str:
    """A response's status; "none" without a response."""
    if status is None:
        return "none"
    if str(status) in _STATUSES:
        return str(status)
    return OTHER


class Metrics:
    """The metrics of one process. Each worker has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, descriptors, processor time
        self.requests = self._counters("http_requests", "Requests answered.", "route", "method", "status")
        self.seconds = self._histograms("http_seconds", "Time to the end of the response.", _SECONDS, "kind")
        self.active = Gauge("mistral_mcp_http_active", "Running requests.", registry=self.registry)
        self.refused = self._counters("refused", "Credentials refused.", "reason")
        self.connections = self._counters(
            "connections", "Connections created, changed, rotated and revoked.", "event"
        )
        self.tool_calls = self._counters("tool_calls", "Tool calls that have ended.", "tool", "model", "outcome")
        self.tool_seconds = self._histograms("tool_seconds", "Time of tool calls.", _SECONDS, "outcome")
        self.tool_errors = self._counters("tool_errors", "Failed tool calls, by error class.", "error")
        self.tokens = self._counters("tokens", "Tokens used: prompt, cached or completion.", "model", "kind")
        self.cost_usd = self._counters("cost_usd", "Cost by the list prices, in US dollars.", "model")
        self.unpriced = self._counter("unpriced_calls", "Tool calls without a known price.")
        self.upstream_seconds = self._histograms(
            "upstream_seconds",
            "Time of exchanges with Mistral, including retries but not queueing.",
            _UPSTREAM_SECONDS,
            "api",
        )
        self.upstream_exchanges = self._counters(
            "upstream_exchanges", "Exchanges with Mistral by the last attempt's status.", "route", "status"
        )
        self.upstream_retries = self._counter("upstream_retries", "Attempts after the first.")
        self.pacing_waits = self._counter("pacing_waits", "Exchanges that waited in the queue.")
        self.pacing_seconds = self._counter("pacing_wait_seconds", "Time of exchanges in the queue.")
        # At 0 from the start: alerts look at growth, and a series that begins with 1 has none.
        self.tool_errors("Crash")
        self.connections("created")

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            method = OTHER  # else every route could have a series for every method
        self.requests(route, method, status).inc()
        first_segment = "/" + route.removeprefix("/").partition("/")[0]
        self.seconds(_KINDS.get(first_segment, "pages")).observe(seconds)

    def page(self, token: SecretStr | None, settle: Callable[[], None]) -> Callable[[Request], Response]:
        """`/metrics`: from loopback, or with the token. `settle` counts what has ended until then."""

        def metrics(request: Request) -> Response:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if token:
                expected = token.get_secret_value()
            else:
                expected = ""
            is_known = scheme.lower() == "bearer" and hmac.compare_digest(
                given.strip().encode(), expected.encode()
            )
            is_local = request.client is not None and request.client.host in LOOPBACK
            # A proxy on this machine is local too, but forwards requests from elsewhere.
            is_local = is_local and not {"forwarded", "x-forwarded-for"} & set(request.headers)
            if not is_local and not (expected and is_known):
                return json_rpc_error(
                    401, "Metrics need a request from loopback, or METRICS_TOKEN as Authorization: Bearer."
                )
            settle()
            collector = _WithoutCreationTimes(self.registry)
            if _OPENMETRICS in request.headers.get("accept", "").lower():
                form = _OPENMETRICS  # the only format with exemplars
            else:
                form = ""
            encode, media_type = choose_encoder(form)
            return Response(encode(collector), media_type=media_type)

        return metrics

    def _counter(self, name: str, description: str) -> Counter:
        return Counter(f"mistral_mcp_{name}", description, registry=self.registry)

    def _counters(self, name: str, description: str, *labels: str) -> Callable[..., Counter]:
        """By the values of its labels. Each is looked for once: that takes texts and a lock, on the way of every call."""
        counter = Counter(f"mistral_mcp_{name}", description, labels, registry=self.registry)
        return cache(counter.labels)

    def _histograms(
        self, name: str, description: str, buckets: tuple[float, ...], *labels: str
    ) -> Callable[..., Histogram]:
        """The same."""
        histogram = Histogram(f"mistral_mcp_{name}", description, labels, buckets=buckets, registry=self.registry)
        return cache(histogram.labels)


class _WithoutCreationTimes(CollectorRegistry):
    """A registry without the `_created` series of each metric."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
