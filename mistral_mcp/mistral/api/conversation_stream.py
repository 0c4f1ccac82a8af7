"""Turns of a conversation, whole or streamed: the same reply either way."""

import json

from pydantic import JsonValue, TypeAdapter

from mistral_mcp.errors import UpstreamError
from mistral_mcp.mistral.api.chat import joined_arguments
from mistral_mcp.mistral.api.completions import CHARACTERS_PER_TOKEN
from mistral_mcp.mistral.api.content import Chunk, chunks_of, text_of
from mistral_mcp.mistral.api.conversations import (
    AppendConversationCall,
    ConversationCall,
    ConversationReply,
    ConversationUsage,
    Entry,
)
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.stream import StreamEvent, assemble

_ENTRIES = frozenset({"message.output", "function.call", "tool.execution", "agent.handoff"})


class _EventKind(StreamEvent):
    pass


class _EntryEvent(Entry):
    output_index: int = 0


class _ResponseEvent(StreamEvent):
    conversation_id: str | None = None
    usage: ConversationUsage | None = None


_kind = TypeAdapter(_EventKind)
_entry_event = TypeAdapter(_EntryEvent)
_response_event = TypeAdapter(_ResponseEvent)


async def converse(mistral: MistralClient, call: ConversationCall, *, model: str = "") -> ConversationReply:
    """Start, append or restart; streamed where the caller listens to progress."""
    if mistral.settings.tokens_per_minute:
        tokens = len(call.body() or b"") // CHARACTERS_PER_TOKEN
    else:
        tokens = 0
    if mistral.progress is None:
        return await mistral.send(call, model=model, tokens=tokens)
    assembly = ConversationAssembly(call.conversation_id if isinstance(call, AppendConversationCall) else "")
    streamed = call.model_copy(update={"stream": True})
    try:
        return await assemble(mistral, mistral.progress, streamed, assembly, model=model, tokens=tokens)
    except UpstreamError as error:
        if assembly.conversation_id:
            error.advice += f" The conversation is {assembly.conversation_id}."
        raise


class ConversationAssembly:
    """A streamed response, put together to what it would have been in one piece."""

    def __init__(self, conversation_id: str) -> None:
        self.text = ""
        self.thinks = False
        self.finished = False
        self.conversation_id = conversation_id
        self._usage: ConversationUsage | None = None
        self._outputs: dict[tuple[int, str], _Output] = {}

    def add(self, data: str) -> str:
        """Add an event's data; gives the text it brought. Raises `ValidationError` where it is none, or an error.

        An event of an unknown type is passed over.
        """
        kind, _, step = str(_kind.validate_json(data).type).rpartition(".")
        self.thinks = True
        if kind == "conversation.response":
            self._add_response(_response_event.validate_json(data), step)
            return ""
        if kind not in _ENTRIES:
            return ""
        event = _entry_event.validate_json(data)
        output = self._outputs.setdefault((event.output_index, event.id), _Output(event))
        is_first = not output.text
        piece = output.add(event, step)
        self.thinks = not piece
        if piece and is_first and self.text:
            piece = f"\n\n{piece}"
        self.text += piece
        return piece

    def _add_response(self, event: _ResponseEvent, step: str) -> None:
        self.conversation_id = event.conversation_id or self.conversation_id
        self._usage = event.usage or self._usage
        self.finished = self.finished or step == "done"

    def reply(self) -> ConversationReply:
        places = sorted(self._outputs, key=lambda place: place[0])
        outputs = [self._outputs[place].entry() for place in places]
        return ConversationReply(conversation_id=self.conversation_id, outputs=outputs, usage=self._usage)


class _Output:
    """One entry on its way: `tool.execution.started`, `.delta` and `.done` make a `tool.execution`."""

    def __init__(self, first: Entry) -> None:
        self.text = ""
        self._last = first
        self._chunks: list[Chunk] = []
        self._at_start: str | dict[str, JsonValue] = ""
        self._arguments: str | dict[str, JsonValue] = ""

    def add(self, event: Entry, step: str) -> str:
        chunks = chunks_of(event.content)
        piece = text_of(event.content)
        self.text += piece
        self._chunks += chunks
        if step == "started":
            self._at_start = event.arguments
        elif step == "delta" or not self._arguments:
            self._arguments = joined_arguments(self._arguments, event.arguments)
        known = event.model_dump(exclude_defaults=True)
        self._last = self._last.model_copy(update=known)
        return piece

    def entry(self) -> Entry:
        kind = self._last.type.rpartition(".")[0]
        members = {"type": kind, "content": self._chunks, "arguments": self._whole_arguments()}
        return Entry.model_validate(self._last.model_dump() | members)

    def _whole_arguments(self) -> str | dict[str, JsonValue]:
        """What came piece by piece; a tool's arguments may come whole when it starts, and again while it runs."""
        if not self._at_start or _is_json(self._arguments):
            return self._arguments
        return joined_arguments(self._at_start, self._arguments)


def _is_json(arguments: str | dict[str, JsonValue]) -> bool:
    if isinstance(arguments, dict):
        return True
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True
