"""What tools that talk to a chat model share: turns in, an answer out."""

import base64
import binascii
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from mistral_mcp.errors import AnswerMismatch, BadArgument
from mistral_mcp.json_schema import CallerSchema, json_in
from mistral_mcp.mistral.api.chat import ChatReply
from mistral_mcp.mistral.api.messages import Message, conversation
from mistral_mcp.tools.framework.slim_schema import MAX_INTEGER


def _image(url: str) -> str:
    if found := re.fullmatch(r"data:image/[a-z0-9.+-]+;base64,(.*)", url, re.DOTALL):
        try:
            base64.b64decode(found[1], validate=True)
        except binascii.Error:
            raise ValueError("the data URL's base64 cannot be decoded") from None
        if found[1]:
            return url
    if re.match(r"https://[^\s/]+", url):
        return url
    raise ValueError("an image is an https URL or data:image/…;base64,…")


def _without_maximum(schema: dict[str, Any]) -> None:
    """The description says it in fewer tokens."""
    schema.pop("maximum", None)


def _turn(*members: str) -> WithJsonSchema:
    """A turn as it is published: every member would be paid for by every caller, and more are taken."""
    return WithJsonSchema({"type": "object", "properties": {name: _MEMBERS[name] for name in members}})


_MEMBERS: dict[str, dict[str, JsonValue]] = {
    "role": {"type": "string"},
    "content": {"type": "string"},
    "tool_calls": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "function": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "arguments": {"type": "string"}},
                },
            },
        },
    },
    "tool_call_id": {"type": "string"},
}

MAX_TURNS = 4_096
_TURNS = Field(description="Earlier turns.", max_length=MAX_TURNS)

Prompt = Annotated[str | None, Field(description="The new user turn.")]
System = Annotated[str | None, Field(description="Instructions.")]
Turn = Annotated[Message, _turn("role", "content")]
TurnWithCalls = Annotated[Message, _turn("role", "content", "tool_calls", "tool_call_id")]
Messages = Annotated[list[Turn] | None, _TURNS]
MessagesWithCalls = Annotated[list[TurnWithCalls] | None, _TURNS]
Images = Annotated[
    list[Annotated[str, AfterValidator(_image)]] | None,
    Field(description="https or data URLs, shown with the prompt.", max_length=8),
]
Id = Annotated[str, Field(min_length=1, max_length=200)]
"""An id, a model's name: whatever goes into a path, a label or a cache."""
Model = Annotated[Id | None, Field(description="Model id or alias.")]
Temperature = Annotated[
    float | None, Field(description="0 to 1.5.", json_schema_extra=_without_maximum, ge=0, le=1.5, allow_inf_nan=False)
]
TopP = Annotated[
    float | None, Field(description="Up to 1.", json_schema_extra=_without_maximum, gt=0, le=1, allow_inf_nan=False)
]
MaxTokens = Annotated[int | None, Field(description="Maximum tokens.", ge=0, le=MAX_INTEGER)]
Stop = Annotated[
    list[Annotated[str, Field(max_length=1_000)]] | None, Field(description="Stop sequences.", max_length=64)
]
RandomSeed = Annotated[int | None, Field(description="Seed.", ge=0, le=MAX_INTEGER)]
JsonSchema = Annotated[
    dict[str, JsonValue] | None, Field(description="JSON Schema of the answer, which comes as `parsed`.")
]


def build_messages(
    prompt: str | None,
    messages: list[Message] | None,
    system: str | None = None,
    images: list[str] | None = None,
) -> list[dict[str, JsonValue]]:
    """The conversation to send. Raises `BadArgument` where it would hold nothing to answer."""
    all_turns = list(messages or [])
    if prompt is not None:
        all_turns.append(Message(role="user", content=prompt))
    if not all_turns:
        raise BadArgument("There is nothing to answer: prompt and messages are both missing.", "Give one of the two.")
    last = all_turns[-1]
    if last.role == "system" or (last.role == "assistant" and not last.prefix):
        raise BadArgument(
            f"The conversation ends with a turn of the {last.role}.", "Give the next user turn as prompt."
        )
    if images:
        if last.role != "user":
            raise BadArgument("There is no user turn for the images.", "Give a prompt to go with them.")
        all_turns[-1] = _with_images(last, images)
    if system is not None:
        all_turns.insert(0, Message(role="system", content=system))
    return conversation(all_turns)


def _with_images(turn: Message, images: list[str]) -> Message:
    content = turn.content if isinstance(turn.content, list) else [{"type": "text", "text": turn.content or ""}]
    shown: list[dict[str, JsonValue]] = [{"type": "image_url", "image_url": url} for url in images]
    return turn.model_copy(update={"content": [*content, *shown]})


def parsed_answer(reply: ChatReply, schema: CallerSchema) -> JsonValue:
    """The answer as JSON, checked against the caller's schema. Raises `AnswerMismatch` with the answer in it."""
    try:
        answer = json_in(reply.text)
        problems = schema.errors(answer)
    except ValueError:
        cut = reply.finish_reason in {"length", "model_length"}
        problems = ["it is cut short" if cut else "it is not JSON"]
        answer = None
    if problems:
        raise AnswerMismatch(
            f"The model's answer does not fit json_schema: {'; '.join(problems[:3])}.",
            "Ask again, raise max_tokens if it was cut, or loosen the schema.",
            partial=reply.text,
        )
    return answer
