"""The middleware that counts and logs each HTTP request: by the route's template, never by a path with a token."""

import logging
import time

from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.hosting.monitoring.metrics import Metrics, method_label

_log = logging.getLogger("mistral_mcp.access")

UNMATCHED = "(unmatched)"
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_HUNG_UP = 499  # the client disconnected


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
            status = 500  # the status of Starlette's error handler, which is further out
            raise
        finally:
            self.metrics.active.dec()
            self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _path_template(scope)
        method = method_label(scope["method"])
        self.metrics.count_request(route, method, status, seconds)
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
    """The path template of the matched route; an endpoint's path with a trailing slash counts as the one without."""
    match scope.get("route"):
        case Route(path=path):
            return path.rstrip("/") or "/"
        case Mount(path=path) if path:
            return f"{path}/{{path}}"
        case _:
            return UNMATCHED
