"""Writes a call's usage on its span."""

from contextvars import ContextVar

from opentelemetry.trace import get_current_span

from mistral_mcp.usage.calls import RunningCall

IN_SPAN: ContextVar[bool] = ContextVar("mistral_mcp_in_span", default=False)
"""Whether this request has a span (monitoring/server_spans.py); cheaper than to ask OpenTelemetry in each call."""


def write_on_span(ended: RunningCall) -> None:
    """On the current span, if it is recorded. Attribute names follow the conventions for generative AI, which have none for the cost."""
    span = get_current_span()
    if not span.is_recording():
        return
    record = ended.record()
    if record.model is None:
        return
    span.set_attribute("gen_ai.response.model", record.model)
    span.set_attribute("gen_ai.usage.input_tokens", record.used.prompt_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", record.used.completion_tokens)
    if record.used.cost_usd is not None:
        span.set_attribute("mistral_mcp.cost_usd", record.used.cost_usd)
