"""Writes a call's usage on its span."""

from opentelemetry.trace import get_current_span

from mistral_mcp.usage.calls import CallRecord


class SpanUsage:
    """A `CallObserver`. Attribute names follow the conventions for generative AI, which have none for the cost."""

    def call_ended(self, record: CallRecord) -> None:
        span = get_current_span()
        if record.model is None or not span.is_recording():
            return
        span.set_attribute("gen_ai.response.model", record.model)
        span.set_attribute("gen_ai.usage.input_tokens", record.used.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", record.used.completion_tokens)
        if record.used.cost_usd is not None:
            span.set_attribute("mistral_mcp.cost_usd", record.used.cost_usd)
