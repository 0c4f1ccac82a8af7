"""Completions, whole or streamed: the same reply either way."""

from typing import Annotated

from pydantic import JsonValue, TypeAdapter

from mistral_mcp.mistral.api.chat import (
    ChatReply,
    Choice,
    Completion,
    Conversational,
    FunctionReply,
    MessageReply,
    Text,
    ToolCallReply,
    joined_arguments,
    prompt_cache_key,
)
from mistral_mcp.mistral.api.content import ContentBuilder, text_of, thinking_of
from mistral_mcp.mistral.api.messages import Turn, send_conversation
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Reply, null_is
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.stream import StreamEvent, assemble

CHARACTERS_PER_TOKEN = 3  # a low estimate: pacing may wait a little, never too little


class Delta(Reply):
    content: JsonValue = None
    tool_calls: list[ToolCallReply] | None = None


class ChunkChoice(Reply):
    delta: Annotated[Delta, null_is(Delta())] = Delta()
    finish_reason: str | None = None


class ChatChunk(StreamEvent):
    """A piece of an answer, or only its usage, or nothing that is known."""

    model: Text = ""
    choices: list[ChunkChoice] | None = None
    usage: UsageReply | None = None


_chunk = TypeAdapter(ChatChunk)


async def complete(mistral: MistralClient, call: Completion) -> ChatReply:
    """Complete a chat, an agent's or code; streamed where the caller listens to progress."""
    if not isinstance(call, Conversational):
        return await _complete(mistral, call)
    cache_key = prompt_cache_key(mistral.caller, call.messages)

    async def send(turns: list[Turn]) -> ChatReply:
        return await _complete(mistral, call.model_copy(update={"messages": turns, "prompt_cache_key": cache_key}))

    return await send_conversation(call.messages, send)


async def _complete(mistral: MistralClient, call: Completion) -> ChatReply:
    if mistral.settings.tokens_per_minute:
        tokens = len(call.body() or b"") // CHARACTERS_PER_TOKEN
    else:
        tokens = 0
    if mistral.progress is None:
        reply = await mistral.send(call, model=call.model_name, tokens=tokens)
    else:
        streamed = call.model_copy(update={"stream": True})
        assembly = ChatAssembly()
        reply = await assemble(mistral, mistral.progress, streamed, assembly, model=call.model_name, tokens=tokens)
    if reply.finish_reason == "error":
        raise mistral.interrupted_reply(reply.text)
    return reply


class ChatAssembly:
    """A streamed reply, put together to what it would have been in one piece."""

    def __init__(self) -> None:
        self.thinks = False
        """Whether the last piece was thinking."""
        self._texts: list[str] = []
        self._content = ContentBuilder()
        self._tool_calls = _ToolCalls()
        self._model = ""
        self._usage: UsageReply | None = None
        self._finish_reason: str | None = None

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def finished(self) -> bool:
        return self._finish_reason is not None

    def add(self, data: str) -> str:
        """Add an event's data; gives the text it brought. Raises `ValidationError` where it is no chunk."""
        chunk = _chunk.validate_json(data)
        self._model = chunk.model or self._model
        self._usage = chunk.usage or self._usage
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self._finish_reason = choice.finish_reason or self._finish_reason
        for fragment in choice.delta.tool_calls or ():
            self._tool_calls.add(fragment)
        self._content.add(choice.delta.content)
        piece = text_of(choice.delta.content)
        self.thinks = not piece and bool(thinking_of(choice.delta.content))
        self._texts.append(piece)
        return piece

    def reply(self) -> ChatReply:
        message = MessageReply(content=self._content.content(), tool_calls=self._tool_calls.calls or None)
        choice = Choice(message=message, finish_reason=self._finish_reason)
        return ChatReply(model=self._model, usage=self._usage, choices=[choice])


class _ToolCalls:
    """Tool calls that come whole or in fragments.

    A fragment without a name continues the latest call of its index, whatever its id; a name with an id that is not known
    yet begins a new call.
    """

    def __init__(self) -> None:
        self.calls: list[ToolCallReply] = []

    def add(self, fragment: ToolCallReply) -> None:
        position = self._continue_calls(fragment)
        if position is None:
            self.calls.append(fragment)
        else:
            self.calls[position] = _join(self.calls[position], fragment)

    def _continue_calls(self, fragment: ToolCallReply) -> int | None:
        """The position of the call that this fragment continues; None where it begins one."""
        same_index = [position for position, call in enumerate(self.calls) if call.index == fragment.index]
        if not same_index:
            return None
        latest = same_index[-1]
        if not fragment.function.name or not self.calls[latest].function.name:
            return latest
        if not fragment.has_id:
            return None
        return next((position for position in same_index if self.calls[position].id == fragment.id), None)


def _join(call: ToolCallReply, fragment: ToolCallReply) -> ToolCallReply:
    name = call.function.name or fragment.function.name
    arguments = joined_arguments(call.function.arguments, fragment.function.arguments)
    function = FunctionReply(name=name, arguments=arguments)
    return call.model_copy(update={"id": call.id if call.has_id else fragment.id, "function": function})
