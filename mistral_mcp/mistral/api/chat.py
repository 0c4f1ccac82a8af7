"""Chat and fill-in-the-middle completions, whole or streamed.

Source: `POST /v1/chat/completions`, `POST /v1/fim/completions`.
"""

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, JsonValue, TypeAdapter

from mistral_mcp.mistral.api.messages import text_of, thinking_of
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.stream import assemble


def _null_is(default: str | int) -> BeforeValidator:
    def replaced(value: object) -> object:
        return default if value is None else value

    return BeforeValidator(replaced)


_Text = Annotated[str, _null_is("")]


class FunctionReply(Reply):
    name: _Text = ""
    arguments: Annotated[str | dict[str, JsonValue], _null_is("")] = ""
    """Usually a JSON string; the schema allows an object."""


class ToolCallReply(Reply):
    id: Annotated[str, _null_is("null")] = "null"
    function: FunctionReply = FunctionReply()
    index: Annotated[int, _null_is(0)] = 0


class MessageReply(Reply):
    content: JsonValue = None
    tool_calls: list[ToolCallReply] | None = None


class Choice(Reply):
    message: MessageReply | None = None
    messages: list[MessageReply] | None = None
    """In place of `message` where Mistral ran tools of its own."""
    finish_reason: str | None = None


class ChatReply(Reply):
    model: _Text = ""
    usage: UsageReply | None = None
    choices: list[Choice] = Field(min_length=1)

    @property
    def _messages(self) -> list[MessageReply]:
        choice = self.choices[0]
        return choice.messages or ([choice.message] if choice.message else [])

    @property
    def content(self) -> JsonValue:
        """The content as Mistral shaped it; several messages become one list of chunks."""
        messages = self._messages
        if len(messages) == 1:
            return messages[0].content
        pieces = _Content()
        for message in messages:
            pieces.add(message.content)
        return pieces.whole()

    @property
    def text(self) -> str:
        return "".join(text_of(message.content) for message in self._messages)

    @property
    def thinking(self) -> str:
        return "".join(thinking_of(message.content) for message in self._messages)

    @property
    def tool_calls(self) -> list[ToolCallReply]:
        return [call for message in self._messages for call in message.tool_calls or ()]

    @property
    def finish_reason(self) -> str:
        return self.choices[0].finish_reason or "unknown"


class Completion(Call[ChatReply]):
    """What everything that is answered like a chat has in common."""

    repeatable = True

    max_tokens: int | None = None
    stop: list[str] | None = None
    random_seed: int | None = None
    stream: Literal[True] | None = None

    @property
    def model_name(self) -> str:
        """The model, as far as the caller knows it."""
        return ""


class Sampled(Completion):
    """What chat and fill-in-the-middle have in common: a model, and how to sample from it."""

    model: str
    temperature: float | None = None
    top_p: float | None = None

    @property
    def model_name(self) -> str:
        return self.model

    def body(self) -> bytes | None:
        """Greedy sampling tolerates no other `top_p` than 1, and some models' default is another."""
        call = self.model_copy(update={"top_p": 1}) if self.temperature == 0 else self
        return super(Sampled, call).body()


class ChatCall(Sampled):
    path = "/v1/chat/completions"

    messages: list[dict[str, JsonValue]]
    response_format: dict[str, JsonValue] | None = None
    reasoning_effort: str | None = None
    tools: list[dict[str, JsonValue]] | None = None
    tool_choice: str | dict[str, JsonValue] | None = None
    parallel_tool_calls: bool | None = None


class FimCall(Sampled):
    path = "/v1/fim/completions"

    prompt: str
    suffix: str | None = None
    min_tokens: int | None = None


class Delta(Reply):
    content: JsonValue = None
    tool_calls: list[ToolCallReply] | None = None


class ChunkChoice(Reply):
    delta: Delta = Delta()
    finish_reason: str | None = None


class ChatChunk(Reply):
    model: _Text = ""
    choices: list[ChunkChoice]
    usage: UsageReply | None = None


_chunk = TypeAdapter(ChatChunk)
CHARACTERS_PER_TOKEN = 3  # a low estimate: pacing may wait a little, never too little


async def complete(mistral: MistralClient, call: Completion) -> ChatReply:
    """Complete a chat, an agent's or code; streamed where somebody listens, and the same reply either way."""
    tokens = len(call.body() or b"") // CHARACTERS_PER_TOKEN if mistral.settings.tokens_per_minute else 0
    if mistral.progress is None:
        reply = await mistral.send(call, model=call.model_name, tokens=tokens)
    else:
        streamed = call.model_copy(update={"stream": True})
        reply = await assemble(mistral, mistral.progress, streamed, Assembly(), model=call.model_name, tokens=tokens)
    if reply.finish_reason == "error":
        raise mistral.interrupted_reply(reply.text)
    return reply


class _Content:
    """Pieces of content put together: text to text, thinking to thinking, anything else as it is."""

    def __init__(self) -> None:
        self._chunks: list[dict[str, JsonValue]] = []
        self._texts: list[str] = []
        """Pieces of text since the last chunk; most answers are nothing else, and come in thousands of them."""

    def add(self, content: JsonValue) -> None:
        if isinstance(content, str):
            self._texts.append(content)
        elif isinstance(content, list):
            self._add_texts()
            for chunk in content:
                if isinstance(chunk, dict):
                    self._add(chunk)

    def _add_texts(self) -> None:
        self._add({"type": "text", "text": "".join(self._texts)})
        self._texts.clear()

    def _add(self, chunk: dict[str, JsonValue]) -> None:
        kind = chunk.get("type", "text")
        last = self._chunks[-1] if self._chunks and self._chunks[-1].get("type") == kind else None
        if kind == "text":
            if last is not None:
                last["text"] = text_of([last]) + text_of([chunk])
            elif text_of([chunk]):
                self._chunks.append({**chunk, "type": "text"})
        elif kind == "thinking" and last is not None:
            last["thinking"] = [{"type": "text", "text": thinking_of([last]) + thinking_of([chunk])}]
        else:
            self._chunks.append({**chunk, "closed": True} if kind == "thinking" else chunk)

    def whole(self) -> JsonValue:
        self._add_texts()
        if all(chunk["type"] == "text" for chunk in self._chunks):
            return text_of(cast("JsonValue", self._chunks))
        return cast("JsonValue", self._chunks)


class Assembly:
    """A streamed reply, put together to what it would have been in one piece."""

    def __init__(self) -> None:
        self.thinks = False
        """Whether the last piece was thinking."""
        self._texts: list[str] = []
        self._content = _Content()
        self._tool_calls: list[ToolCallReply] = []
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
        for call in choice.delta.tool_calls or ():
            self._add_call(call)
        self._content.add(choice.delta.content)
        piece = text_of(choice.delta.content)
        self.thinks = not piece and bool(thinking_of(choice.delta.content))
        self._texts.append(piece)
        return piece

    def _add_call(self, call: ToolCallReply) -> None:
        """Mistral sends a call whole; a fragment (no id or name of its own) is still put to the rest of it."""
        nameless = call.id in {"null", ""} and not call.function.name
        for position, known in enumerate(self._tool_calls):
            same = nameless or (call.id == known.id and call.id not in {"null", ""})
            if same and known.index == call.index and known.function.name:
                first, second = known.function.arguments, call.function.arguments
                if isinstance(first, str) and isinstance(second, str):
                    function = known.function.model_copy(update={"arguments": first + second})
                    self._tool_calls[position] = known.model_copy(update={"function": function})
                    return
        self._tool_calls.append(call)

    def reply(self) -> ChatReply:
        message = MessageReply(content=self._content.whole(), tool_calls=self._tool_calls or None)
        choice = Choice(message=message, finish_reason=self._finish_reason)
        return ChatReply(model=self._model, usage=self._usage, choices=[choice])


def response_format_of(schema: dict[str, JsonValue] | None, kind: str | None) -> dict[str, Any] | None:
    """Mistral's member for a JSON schema, or for a bare kind such as `json_object`."""
    if schema is not None:
        return {"type": "json_schema", "json_schema": {"name": "response", "schema": schema, "strict": True}}
    return {"type": kind} if kind else None
