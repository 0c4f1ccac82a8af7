"""The SDK's span of each message, within the caller's trace and without names that a caller could invent.

The SDK looks for a trace context in `_meta` only; over HTTP it may be in the headers. And it names a span after the requested
tool, prompt or resource, whose name could hold a key sent there by mistake, or megabytes.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import RequestParamsMeta

from mistral_mcp.mistral.transports.spans import are_recorded
from mistral_mcp.tools.framework.request import Served, caller_trace
from mistral_mcp.usage.span_usage import IN_SPAN

Request = ServerRequestContext[Served, Any]
Middleware = Callable[[Request, CallNext], Awaitable[HandlerResult]]

_OTHER = "other"
_METHODS = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "tools/call",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "completion/complete",
        "logging/setLevel",
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
    }
)


class ServerSpans:
    """Wraps the SDK's tracing middleware; the middleware after it gets the message unchanged."""

    def __init__(self, inner: Middleware, known_names: Callable[[Request], Collection[str]]) -> None:
        """`known_names`: the names that a request of this method may ask for."""
        self._inner = inner
        self._known_names = known_names

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        if not (are_recorded() or (ctx.meta and "traceparent" in ctx.meta)):
            return await call_next(ctx)

        async def call_in_span(_: Request) -> HandlerResult:
            IN_SPAN.set(True)
            return await call_next(ctx)

        return await self._inner(self._without_unknown_names(ctx), call_in_span)

    def _without_unknown_names(self, ctx: Request) -> Request:
        """The message without what a trace must not show."""
        method, params, request_id, meta = ctx.method, ctx.params, ctx.request_id, ctx.meta
        if method not in _METHODS:
            method = _OTHER
        if params and "name" in params:
            name = params["name"]
            if not isinstance(name, str) or name not in self._known_names(ctx):
                name = _OTHER
            params = {"name": name}
        if not isinstance(request_id, int):
            request_id = None
        if not meta or "traceparent" not in meta:
            meta = cast("RequestParamsMeta", caller_trace(ctx))
        return replace(ctx, method=method, params=params, request_id=request_id, meta=meta)
