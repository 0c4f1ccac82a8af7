"""Parameters and results that chat tools share: messages in, an answer out."""

from typing import Annotated, Literal, cast

from pydantic import Field, JsonValue, StringConstraints, WithJsonSchema

from mistral_mcp.errors import AnswerMismatch, BadArgument
from mistral_mcp.json_schema import CallerSchema, find_errors, json_in
from mistral_mcp.mistral.api.chat import ChatReply
from mistral_mcp.mistral.api.content import Chunk, chunks_of
from mistral_mcp.mistral.api.messages import Message, Turn, conversation
from mistral_mcp.tools.framework.attached_files import MAX_SOURCE, document_chunk, image_chunk
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.slim_schema import MAX_INTEGER

MAX_MESSAGES = 10_000
MAX_IMAGES = 100
MAX_DOCUMENTS = 50
MAX_ID = 256

_MEMBERS: dict[str, dict[str, JsonValue]] = {
    "role": {"type": "string"},
    "content": {"type": "string"},
    "tool_calls": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "maxLength": MAX_ID},
                "function": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "maxLength": MAX_ID},
                        "arguments": {"type": "string"},
                    },
                },
            },
        },
    },
    "tool_call_id": {"type": "string", "maxLength": MAX_ID},
}


def _message(*members: str) -> WithJsonSchema:
    """The published schema of a message. It leaves out accepted members, since every caller pays for each of them."""
    return WithJsonSchema({"type": "object", "properties": {name: _MEMBERS[name] for name in members}})


_MESSAGES = Field(description="Earlier messages.", min_length=1, max_length=MAX_MESSAGES)

Source = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SOURCE)]
Text = Annotated[str, StringConstraints(min_length=1)]
StopSequence = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]

Prompt = Annotated[str | None, Field(description="New user message.")]
System = Annotated[str | None, Field(description="System prompt.")]
Messages = Annotated[list[Annotated[Message, _message("role", "content")]] | None, _MESSAGES]
MessagesWithCalls = Annotated[
    list[Annotated[Message, _message("role", "content", "tool_calls", "tool_call_id")]] | None, _MESSAGES
]
Images = Annotated[
    list[Source] | None, Field(description="URLs, data URLs, file ids or paths.", max_length=MAX_IMAGES)
]
Documents = Annotated[list[Source] | None, Field(description="PDFs and such, likewise.", max_length=MAX_DOCUMENTS)]
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
"""An id or a model's name, for paths, labels and caches."""
Model = Annotated[Id | None, Field(description="Id or alias.")]
Temperature = Annotated[float | None, Field(description="0 to 1.5.", ge=0, le=1.5, allow_inf_nan=False)]
TopP = Annotated[float | None, Field(description="Up to 1.", gt=0, le=1, allow_inf_nan=False)]
MaxTokens = Annotated[int | None, Field(description="Maximum tokens.", ge=0, le=MAX_INTEGER)]
Stop = Annotated[list[StopSequence] | None, Field(description="Stop sequences.", max_length=100)]
RandomSeed = Annotated[int | None, Field(description="Seed.", ge=0, le=MAX_INTEGER)]
JsonSchema = Annotated[dict[str, JsonValue] | None, Field(description="JSON Schema of the answer.")]
ResponseFormat = Annotated[Literal["text", "json_object"] | None, Field(description="json_object: any JSON.")]
DryRun = Annotated[bool | None, Field(description="Only estimate the cost.")]
ReasoningEffort = Annotated[str | None, Field(description="none to max, by model.", pattern="^[a-z]{1,16}$")]


async def build_messages(
    mistral: Mistral,
    prompt: str | None,
    messages: list[Message] | None,
    system: str | None = None,
    *,
    images: list[str] | None = None,
    documents: list[str] | None = None,
) -> list[Turn]:
    """The conversation to send. Raises `BadArgument` if there is nothing to answer."""
    turns = list(messages or [])
    if prompt is not None:
        turns.append(Message(role="user", content=prompt))
    attached = await attached_chunks(mistral, images, documents)
    if attached:
        turns.append(_attach(turns, attached))
    _check_turns(turns)
    if system is not None:
        turns.insert(0, Message(role="system", content=system))
    return conversation(turns)


async def attached_chunks(
    mistral: Mistral, images: list[str] | None, documents: list[str] | None, *, by_id: bool = True
) -> list[Chunk]:
    """Images and documents as chunks of a message."""
    shown = [await image_chunk(mistral, source, f"images[{index}]") for index, source in enumerate(images or ())]
    read = [
        await document_chunk(mistral, source, f"documents[{index}]", by_id=by_id)
        for index, source in enumerate(documents or ())
    ]
    return [*shown, *read]


def _attach(turns: list[Message], attached: list[Chunk]) -> Message:
    """Remove the last turn from the list, and return it with the files added."""
    if not turns or turns[-1].role != "user":
        raise BadArgument(
            "There is no user message for the images or documents.", "Give a prompt to go with them."
        )
    last = turns.pop()
    chunks = chunks_of(cast("JsonValue", last.content))
    return last.model_copy(update={"content": [*chunks, *attached]})


def _check_turns(turns: list[Message]) -> None:
    if not turns:
        raise BadArgument("prompt and messages are both missing.", "Give one of the two.")
    last = turns[-1]
    if last.role == "system" or (last.role == "assistant" and not last.prefix):
        raise BadArgument(f"The last message has the role {last.role}.", "Give the next user message as prompt.")
    if last.role == "user" and not last.content:
        raise BadArgument("The last user message is empty.", "Give it content.")


async def parsed_answer(
    reply: ChatReply, schema: CallerSchema | None, response_format: str | None = None
) -> JsonValue:
    """The answer as JSON, if that was requested. Raises `AnswerMismatch`, with the answer, if it does not match the schema."""
    if schema is not None:
        return await _matching_answer(reply, schema)
    if response_format != "json_object":
        return None
    try:
        return json_in(reply.text)
    except ValueError:
        return None


async def _matching_answer(reply: ChatReply, schema: CallerSchema) -> JsonValue:
    answer: JsonValue = None
    try:
        answer = json_in(reply.text)
        problems = await find_errors(schema, answer)
    except ValueError:
        problems = ["it is cut at the maximum number of tokens" if reply.is_cut else "it is not JSON"]
    if problems:
        raise AnswerMismatch(
            f"The model's answer does not match json_schema: {'; '.join(problems[:3])}.",
            "Ask again, raise max_tokens if it was cut, or loosen the schema.",
            partial=reply.text,
        )
    return answer
