"""A client span for each exchange, by OpenTelemetry's conventions for generative AI; within the caller's trace.

Only imported where OpenTelemetry's API is installed. Without its SDK nothing is recorded, but `traceparent` and
`tracestate` of a call still travel to Mistral.
"""

from urllib.parse import urlsplit

import httpx2
from opentelemetry.context import Context
from opentelemetry.trace import (
    ProxyTracerProvider,
    Span,
    SpanKind,
    StatusCode,
    TracerProvider,
    format_trace_id,
    get_current_span,
    get_tracer,
    get_tracer_provider,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mistral_mcp.mistral.transports.exchange import Exchange, exchange_of
from mistral_mcp.mistral.transports.observing import call_at_end
from mistral_mcp.mistral.transports.routes import route_url

_OPERATIONS = {
    "POST /v1/chat/completions": "chat",
    "POST /v1/fim/completions": "text_completion",
    "POST /v1/embeddings": "embeddings",
    "POST /v1/agents/completions": "invoke_agent",
    "POST /v1/conversations": "invoke_agent",
    "POST /v1/conversations/{conversation_id}": "invoke_agent",
    "POST /v1/agents": "create_agent",
}
"""The conventions' names of operations; any other call is named by its path template."""
_MODEL = 100  # characters
_FAILED = 400

_propagator = TraceContextTextMapPropagator()


class Spans(httpx2.AsyncBaseTransport):
    """Records a span for each exchange. Attributes hold no content, no key and none of the caller's ids."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, tracers: TracerProvider | None = None) -> None:
        self._inner = inner
        self._tracer = get_tracer("mistral-mcp", tracer_provider=tracers)
        self._tracers = tracers

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(request)
        if not (self._tracers or are_recorded() or _is_traced(exchange)):
            return await self._inner.handle_async_request(request)
        span = self._tracer.start_span(
            _name(exchange), _parent(exchange), kind=SpanKind.CLIENT, attributes=_attributes(exchange)
        )
        headers: dict[str, str] = {}
        context = span.get_span_context()
        if context.is_valid and context.trace_flags.sampled:
            exchange.trace_id = format_trace_id(context.trace_id)
        with use_span(span, record_exception=False, set_status_on_exception=False):
            _propagator.inject(headers)
            request.headers.update(headers)
            try:
                response = await self._inner.handle_async_request(request)
            except BaseException as error:
                _end(span, exchange, error=type(error).__qualname__)
                raise
        call_at_end(response, lambda: _end(span, exchange, response.status_code))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def are_recorded() -> bool:
    """Whether this process has set a tracer provider up. Spans that nobody records cost a twentieth of a call."""
    return not isinstance(get_tracer_provider(), ProxyTracerProvider)


def _is_traced(exchange: Exchange) -> bool:
    """Whether the caller named a trace, which goes on to Mistral."""
    return bool(exchange.trace) or get_current_span().get_span_context().is_valid


def _parent(exchange: Exchange) -> Context | None:
    """The current span, else the trace context of the caller's HTTP request."""
    if get_current_span().get_span_context().is_valid or not exchange.trace:
        return None
    return _propagator.extract(exchange.trace)


def _name(exchange: Exchange) -> str:
    model = exchange.caller.mask.text(exchange.model[:_MODEL])
    operation = _OPERATIONS.get(exchange.operation)
    if operation:
        return f"{operation} {model}".strip()
    return exchange.operation


def _attributes(exchange: Exchange) -> dict[str, str]:
    method, _, path = exchange.operation.partition(" ")
    attributes = {
        "gen_ai.provider.name": "mistral_ai",
        "server.address": urlsplit(route_url(exchange.caller.route)).hostname or "",
        "http.request.method": method,
        "url.template": path,
    }
    operation = _OPERATIONS.get(exchange.operation)
    if operation:
        attributes["gen_ai.operation.name"] = operation
    if exchange.model:
        attributes["gen_ai.request.model"] = exchange.caller.mask.text(exchange.model[:_MODEL])
    return attributes


def _end(span: Span, exchange: Exchange, status: int | None = None, error: str = "") -> None:
    if status is not None:
        span.set_attribute("http.response.status_code", status)
        if status >= _FAILED:
            error = str(status)
        else:
            error = ""
    if exchange.attempts > 1:
        span.set_attribute("http.request.resend_count", exchange.attempts - 1)
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end()
