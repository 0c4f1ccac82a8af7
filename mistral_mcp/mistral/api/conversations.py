"""Conversations that Mistral keeps, with tools that it runs itself; whole or streamed.

Source: `/v1/conversations`.
"""

import json
from typing import Literal

from pydantic import Field, JsonValue, TypeAdapter

from mistral_mcp.errors import UpstreamError
from mistral_mcp.mistral.api.chat import CHARACTERS_PER_TOKEN
from mistral_mcp.mistral.api.messages import text_of, thinking_of
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.stream import assemble


class Entry(Reply):
    """One entry of any type; what its type does not have is empty."""

    type: str = ""
    role: str | None = None
    content: JsonValue = None
    model: str | None = None
    tool_call_id: str = ""
    name: str = ""
    arguments: str | dict[str, JsonValue] = ""
    confirmation_status: str | None = None
    result: JsonValue = None
    next_agent_id: str | None = None
    next_agent_name: str | None = None
    created_at: str | None = None

    @property
    def text(self) -> str:
        return text_of(self.content)

    def chunks(self, kind: str) -> list[dict[str, JsonValue]]:
        """The content's chunks of this type."""
        content = self.content if isinstance(self.content, list) else []
        return [chunk for chunk in content if isinstance(chunk, dict) and chunk.get("type") == kind]


class ConversationUsage(UsageReply):
    connector_tokens: int | None = None
    connectors: dict[str, int] | None = None


class ConversationReply(Reply):
    conversation_id: str
    outputs: list[Entry]
    usage: ConversationUsage | None = None

    @property
    def text(self) -> str:
        return "\n\n".join(entry.text for entry in self.outputs if entry.text)

    @property
    def thinking(self) -> str:
        return "".join(thinking_of(entry.content) for entry in self.outputs)

    def chunks(self, kind: str) -> list[dict[str, JsonValue]]:
        return [chunk for entry in self.outputs for chunk in entry.chunks(kind)]


class ConversationCall(Call[ConversationReply]):
    """What starting and appending have in common."""

    inputs: str | list[dict[str, JsonValue]] | None = None
    completion_args: dict[str, JsonValue] | None = None
    store: bool | None = None
    stream: Literal[True] | None = None


class StartConversationCall(ConversationCall):
    path = "/v1/conversations"

    model: str | None = None
    agent_id: str | None = None
    instructions: str | None = None
    tools: list[dict[str, JsonValue]] | None = None
    name: str | None = None


class AppendConversationCall(ConversationCall):
    path = "/v1/conversations/{conversation_id}"

    conversation_id: str
    tool_confirmations: list[dict[str, JsonValue]] | None = None


class ConversationCard(Reply):
    id: str
    name: str | None = None
    model: str | None = None
    agent_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class ListConversationsCall(Call[list[ConversationCard]]):
    path = "/v1/conversations"
    method = "GET"
    repeatable = True

    page: int
    page_size: int


class GetConversationCall(Call[ConversationCard]):
    path = "/v1/conversations/{conversation_id}"
    method = "GET"
    repeatable = True

    conversation_id: str


class HistoryReply(Reply):
    entries: list[Entry] = []


class GetHistoryCall(Call[HistoryReply]):
    path = "/v1/conversations/{conversation_id}/history"
    method = "GET"
    repeatable = True

    conversation_id: str


class DeleteConversationCall(Call[None]):
    path = "/v1/conversations/{conversation_id}"
    method = "DELETE"

    conversation_id: str


def completion_args(temperature: float | None, max_tokens: int | None) -> dict[str, JsonValue] | None:
    """What conversations let pass of the completion API. Greedy sampling tolerates no other `top_p` than 1."""
    args: dict[str, JsonValue] = {"temperature": temperature, "max_tokens": max_tokens}
    if temperature == 0:
        args["top_p"] = 1
    return {name: value for name, value in args.items() if value is not None} or None


class _Event(Entry):
    type: str = Field(pattern=r"(message|function|tool|agent|conversation)\..*(started|delta|done)$")
    id: str = ""
    conversation_id: str | None = None
    output_index: int = 0
    usage: ConversationUsage | None = None


_event = TypeAdapter(_Event)


async def converse(mistral: MistralClient, call: ConversationCall, *, model: str = "") -> ConversationReply:
    """Start or append; streamed where somebody listens, and the same reply either way."""
    tokens = len(call.body() or b"") // CHARACTERS_PER_TOKEN if mistral.settings.tokens_per_minute else 0
    if mistral.progress is None:
        return await mistral.send(call, model=model, tokens=tokens)
    assembly = _Assembly(call.conversation_id if isinstance(call, AppendConversationCall) else "")
    streamed = call.model_copy(update={"stream": True})
    try:
        return await assemble(mistral, mistral.progress, streamed, assembly, model=model, tokens=tokens)
    except UpstreamError as error:
        if assembly.conversation_id:
            error.advice += f" The conversation is {assembly.conversation_id}."
        raise


class _Assembly:
    """A streamed response, put together to what it would have been in one piece."""

    def __init__(self, conversation_id: str) -> None:
        self.text = ""
        self.thinks = False
        self.finished = False
        self.conversation_id = conversation_id
        self._usage: ConversationUsage | None = None
        self._outputs: dict[tuple[int, str], _Output] = {}

    def add(self, data: str) -> str:
        """Add an event's data; gives the text it brought. Raises `ValidationError` where it is none, or an error."""
        event = _event.validate_json(data)
        kind, _, step = event.type.rpartition(".")
        if kind == "conversation.response":
            self.conversation_id = event.conversation_id or self.conversation_id
            self._usage = event.usage
            self.finished = step == "done"
            return ""
        place = (event.output_index, event.id)
        output = self._outputs.setdefault(place, _Output(event))
        piece = output.add(event)
        self.thinks = not piece
        if piece == output.text and self.text:
            piece = f"\n\n{piece}"
        self.text += piece
        return piece

    def reply(self) -> ConversationReply:
        outputs = [self._outputs[place].entry() for place in sorted(self._outputs, key=lambda place: place[0])]
        return ConversationReply(conversation_id=self.conversation_id, outputs=outputs, usage=self._usage)


class _Output:
    """One entry on its way: `tool.execution.started`, `.delta` and `.done` make a `tool.execution`."""

    def __init__(self, first: _Event) -> None:
        self.text = ""
        self._last = first
        self._chunks: list[JsonValue] = []
        self._arguments = ""

    def add(self, event: _Event) -> str:
        chunks = _chunks(event.content)
        piece = text_of(chunks)
        self.text += piece
        self._chunks += chunks
        arguments = event.arguments if isinstance(event.arguments, str) else json.dumps(event.arguments)
        # A piece goes on from the last; a whole may come twice, when a tool starts and while it runs.
        self._arguments = arguments if _is_whole(arguments) else self._arguments + arguments
        known = event.model_dump(exclude_defaults=True)
        self._last = self._last.model_copy(update=known)
        return piece

    def entry(self) -> Entry:
        kind = self._last.type.rpartition(".")[0]
        members = {"type": kind, "content": self._chunks, "arguments": self._arguments}
        return Entry.model_validate(self._last.model_dump() | members)


def _is_whole(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except ValueError:
        return False


def _chunks(content: JsonValue) -> list[JsonValue]:
    """A piece of content is text or one chunk."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else [content] if content else []
