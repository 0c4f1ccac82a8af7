"""What the operator sees: one line a request, and metrics. Both name the route's template, never a path with a token.

Every label is from a closed set: what a client sends could be anything, and each new value would stay for ever.
"""

import hmac
import logging
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.http.responses import json_rpc_error
from mistral_mcp.route import LOOPBACK

_log = logging.getLogger("mistral_mcp.access")

UNMATCHED = "(unmatched)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_HUNG_UP = 499  # nobody waited for an answer
_SECONDS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)


class Metrics:
    """One process's counts. With several workers each answers for itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mistral_mcp_http_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "mistral_mcp_http_seconds", "Time to the end of the response.", ("route",), buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.active = Gauge("mistral_mcp_http_active", "Requests under way.", registry=self.registry)
        self.refused = Counter("mistral_mcp_refused", "Credentials refused.", ("reason",), registry=self.registry)
        self.connections = Counter(
            "mistral_mcp_connections",
            "Connections created, changed, rotated and revoked.",
            ("event",),
            registry=self.registry,
        )

    def page(self, token: SecretStr | None) -> Callable[[Request], Response]:
        """`/metrics`: for loopback, or with the token."""

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
            # A proxy on this machine is local too, and speaks for whoever asked it.
            is_local = is_local and not {"forwarded", "x-forwarded-for"} & set(request.headers)
            if not is_local and not (expected and is_known):
                return json_rpc_error(
                    401, "Metrics are for loopback, or with METRICS_TOKEN as Authorization: Bearer."
                )
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        return metrics


class RequestObserver:
    """The middleware that counts and logs each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), _HUNG_UP

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.metrics.active.inc()
        try:
            await self.app(scope, receive, send_and_note)
        except ClientDisconnect:
            status = _HUNG_UP
        except Exception:
            status = 500  # as Starlette answers, further out
            raise
        finally:
            self.metrics.active.dec()
            self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _path_template(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"  # it is whatever a client sends
        self.metrics.requests.labels(route, method, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if _log.isEnabledFor(logging.INFO) and route not in _QUIET:
            milliseconds = round(seconds * 1000)
            members = {
                "event": "http_request",
                "method": method,
                "route": route,
                "status": status,
                "ms": milliseconds,
            }
            _log.info("%s %s %d %d ms", method, route, status, milliseconds, extra=members)


def _path_template(scope: Scope) -> str:
    """The path of the route that the router found; an endpoint's second path, with a slash at its end, counts as its first."""
    match scope.get("route"):
        case Route(path=path):
            return path.rstrip("/") or "/"
        case Mount(path=path) if path:
            return f"{path}/{{path}}"
        case _:
            return UNMATCHED
