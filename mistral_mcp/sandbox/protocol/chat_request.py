"""The request bodies of chat and agents, and the part of them that conversations accept."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mistral_mcp.sandbox.protocol.messages import Message, ResponseFormat, Tool, ToolChoice
from mistral_mcp.sandbox.protocol.strict import Count, Metadata, Strict, Temperature, TopP

Penalty = Annotated[float, Field(ge=-2, le=2)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Moderation(Strict):
    """Unlike most parts of a body, this one ignores unknown keys."""

    model_config = ConfigDict(extra="ignore")

    model_name: str | None = None
    custom_category_thresholds: dict[str, float | None] | None = None
    ignore_other_categories: bool = False
    action: Literal["none", "block"] = "none"


class Guardrail(Strict):
    """One entry of `guardrails`."""

    model_config = ConfigDict(extra="ignore")

    block_on_error: bool = False
    moderation_llm_v1: Moderation | None = None
    moderation_llm_v2: Moderation | None = None


class StreamOptions(Strict):
    """Accepted by the API, but only empty: it rejects `include_usage`."""


class Prediction(Strict):
    type: Literal["content"] = "content"
    content: str = ""


class CompletionFields(Strict):
    """The fields that chat and agents share, with those of SDK 3.7 that the specification lacks."""

    messages: list[Message]
    max_tokens: Count | None = None
    min_tokens: Count | None = None
    stream: bool = False
    stop: str | list[str] | None = None
    random_seed: Count | None = None
    metadata: Metadata | None = None
    response_format: ResponseFormat = ResponseFormat()
    tools: list[Tool] | None = None
    tool_choice: Literal["auto", "none", "any", "required"] | ToolChoice = "auto"
    parallel_tool_calls: bool = True
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    logprobs: bool | None = None
    top_logprobs: Count | None = None
    prompt_logprobs: bool | None = None
    top_prompt_logprobs: Count | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    prediction: Prediction | None = None
    reasoning_effort: Effort | None = None
    prompt_mode: Literal["reasoning"] | None = None
    guardrails: list[Guardrail] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "standard_only"] | None = None


class ChatRequest(CompletionFields):
    model: str
    temperature: Temperature | None = None
    top_p: TopP | None = None
    safe_prompt: bool = False
    document_image_limit: Count | None = None
    document_page_limit: Count | None = None
    stream_options: StreamOptions | None = None


Share = Annotated[float, Field(ge=0, le=1)]


class CompletionArgs(Strict):
    """The chat parameters that conversations accept. The temperature is at most 1."""

    stop: str | list[str] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    max_tokens: Count | None = None
    random_seed: Count | None = None
    prediction: Prediction | None = None
    response_format: ResponseFormat | None = None
    tool_choice: Literal["auto", "none", "any", "required"] | None = None
    reasoning_effort: Effort | None = None
