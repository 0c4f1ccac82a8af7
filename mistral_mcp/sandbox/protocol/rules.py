"""Mistral's checks beyond the shape of a body, with its own error messages where they are known."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from mistral_mcp.sandbox.protocol.chat_request import ChatRequest
from mistral_mcp.sandbox.protocol.errors import invalid_args, invalid_request, refusal, unreadable_file
from mistral_mcp.sandbox.protocol.history_rules import check_history
from mistral_mcp.sandbox.protocol.messages import (
    AssistantMessage,
    AudioChunk,
    FunctionTool,
    ImageURLChunk,
    Message,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
    text_of,
)
from mistral_mcp.sandbox.protocol.replies import compact
from mistral_mcp.sandbox.protocol.schema_rules import check_schema
from mistral_mcp.sandbox.protocol.tokens import count_tokens

FUNCTION_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
MAX_TOOLS = 128
IMAGE_TOKENS = 256
MESSAGE_TOKENS = 4
MAX_IMAGES = 100
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


class ModelLimits(Protocol):
    """The facts about a model that the rules need."""

    @property
    def id(self) -> str: ...
    @property
    def context(self) -> int: ...
    @property
    def top_p(self) -> float: ...
    @property
    def efforts(self) -> Sequence[str] | None: ...
    def can(self, capability: str) -> bool:
        """Whether the model has this capability."""
        ...


def check_chat(body: ChatRequest, model: ModelLimits) -> int:
    """Check all rules, and return the number of prompt tokens. Raises the `ApiError` of the first rule that is broken."""
    check_history(body.messages)
    check_tools(body.tools or [], body.tool_choice, model)
    check_images(body.messages, model)
    check_audio(body.messages, model)

    # Observed: the model's default top_p matters only if it thinks and samples greedily.
    top_p = 1.0
    if body.reasoning_effort not in (None, "none"):
        top_p = model.top_p
    check_greedy(body.temperature, body.top_p, top_p)
    check_effort(body.reasoning_effort, model)

    if body.prompt_mode is not None:
        raise invalid_request("Reasoning prompt mode is not enabled for this model")
    if (body.n or 1) > 1 and model.id == "mistral-large-2512":
        raise invalid_args("Multiple completions are not enabled for this model")
    if body.response_format.type == "json_schema" and body.response_format.json_schema is None:
        raise invalid_request("json_schema must be provided when response_format type is json_schema.")
    if body.response_format.json_schema is not None:
        check_schema(body.response_format.json_schema.schema_, "response")

    prompt = count_prompt_tokens(body)
    check_length(prompt, body.max_tokens, model)
    return prompt


def count_prompt_tokens(body: ChatRequest) -> int:
    text_tokens = sum(count_tokens(text_of(message.content)) + MESSAGE_TOKENS for message in body.messages)
    image_tokens = IMAGE_TOKENS * sum(1 for _ in images_of(body.messages))
    calls: list[ToolCall] = []
    for message in body.messages:
        if isinstance(message, AssistantMessage):
            calls += message.tool_calls or []
    call_tokens = sum(count_tokens(compact(call.function.model_dump())) for call in calls)
    tool_tokens = sum(count_tokens(compact(tool.model_dump())) for tool in body.tools or [])
    return text_tokens + image_tokens + call_tokens + tool_tokens


def check_tools(tools: Sequence[Tool], choice: str | ToolChoice | None, model: ModelLimits) -> None:
    """The functions' names and schemas, their number, and whether a forced choice is among them."""
    functions = [tool.function for tool in tools if isinstance(tool, FunctionTool)]
    if tools and not model.can("function_calling"):
        raise invalid_args("Function calling is not enabled for this model")
    if len(tools) > MAX_TOOLS:
        raise invalid_request(f"Too many tools: {len(tools)}, at most {MAX_TOOLS} are allowed.")
    for function in functions:
        check_schema(function.parameters, "tool")
        if not FUNCTION_NAME.match(function.name):
            raise refusal(
                400,
                f"Function name was {function.name} but must be a-z, A-Z, 0-9, or contain underscores and dashes, "
                "with a maximum length of 64.",
                "invalid_function_call",
                "3280",
            )
    if isinstance(choice, ToolChoice) and choice.function.name not in [function.name for function in functions]:
        raise invalid_request(
            f"Tool choice names the function {choice.function.name}, which is not among the tools."
        )
    if choice in ("any", "required") and not tools:
        raise invalid_request("When using `tool_choice`, `tools` must be set.")


def check_images(messages: Sequence[Message], model: ModelLimits) -> None:
    """Only for models with vision, at most `MAX_IMAGES`, and all readable."""
    images = list(images_of(messages))
    if images and not model.can("vision"):
        raise invalid_args("Image input is not enabled for this model")
    if len(images) > MAX_IMAGES:
        raise invalid_args(f"Too many images: {len(images)}, at most {MAX_IMAGES} are allowed per request.")
    for image in images:
        if not is_readable_image(image.url):
            raise unreadable_file(f"Image could not be loaded from url: {image.url[:100]}")


def check_effort(effort: str | None, model: ModelLimits) -> None:
    """Each family of models has its own values; a model whose values are unknown accepts all."""
    if effort is None or model.efforts is None or effort in model.efforts:
        return
    message = f"reasoning_effort='{effort}' is not supported for this model."
    if model.efforts:
        known = ", ".join(f"<ReasoningEffort.{name}: '{name}'>" for name in model.efforts)
        message = f"{message} Must be one of ({known})"
    raise invalid_args(message)


def check_audio(messages: Sequence[Message], model: ModelLimits) -> None:
    """Only for models with audio input."""
    if any(audio_of(messages)) and not model.can("audio"):
        raise invalid_args("Audio input is not enabled for this model")


def check_greedy(temperature: float | None, top_p: float | None, default: float) -> None:
    """With temperature 0, top_p has to be 1, whether it was sent or is the default."""
    if top_p is None:
        top_p = default
    if temperature == 0 and top_p != 1:
        raise invalid_request("top_p must be 1 when using greedy sampling.")


def check_length(prompt: int, max_tokens: int | None, model: ModelLimits) -> None:
    """The prompt and `max_tokens` fit into the model's context window."""
    if prompt + (max_tokens or 0) > model.context:
        asked = ""
        if prompt <= model.context:
            asked = f" and max_tokens is {max_tokens}"
        raise invalid_args(
            f"Prompt contains {prompt} tokens and 0 draft tokens{asked}, "
            f"too large for model with {model.context} maximum context length"
        )


def images_of(messages: Sequence[Message]) -> Iterator[ImageURLChunk]:
    """Every image of the conversation, including those in tool results."""
    for message in messages:
        if isinstance(message, UserMessage | ToolMessage) and isinstance(message.content, list):
            yield from (chunk for chunk in message.content if isinstance(chunk, ImageURLChunk))


def audio_of(messages: Sequence[Message]) -> Iterator[AudioChunk]:
    """Every audio chunk of the conversation."""
    for message in messages:
        if isinstance(message, UserMessage | ToolMessage) and isinstance(message.content, list):
            yield from (chunk for chunk in message.content if isinstance(chunk, AudioChunk))


def is_readable_image(url: str) -> bool:
    """Any https link counts as an image, except on `.invalid` hosts, which never exist; the bytes of a data URL are checked."""
    if url.startswith("https://"):
        return not re.match(r"https://[^/]*\.invalid(?:/|$)", url)
    found = re.match(r"data:image/[\w.+-]+;base64,(.+)$", url, re.DOTALL)
    if found is None:
        return False
    try:
        data = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return False
    return data.startswith(SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
