"""Chat and fill-in-the-middle completions, whole or streamed.

Source: `POST /v1/chat/completions`, `POST /v1/fim/completions`, `POST /v1/agents/completions`.
"""

import hashlib
import json
from itertools import chain
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, JsonValue

from mistral_mcp.mistral.api.content import ContentBuilder, text_of, thinking_of
from mistral_mcp.mistral.api.messages import Turn
from mistral_mcp.mistral.api.schemas import without_annotations
from mistral_mcp.mistral.api.usage import TokenCall, TokenReply
from mistral_mcp.mistral.call import Reply, null_is
from mistral_mcp.mistral.transports.exchange import Caller

CUT_SHORT = frozenset({"length", "model_length"})
"""Reasons to finish that mean: the answer was not over."""

Text = Annotated[str, null_is("")]


def _text_or_object(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str | dict):
        return cast("object", value)
    return json.dumps(value)


Arguments = Annotated[str | dict[str, JsonValue], BeforeValidator(_text_or_object)]
"""Of a function: usually JSON in a string; the schema allows an object."""


class FunctionReply(Reply):
    name: Text = ""
    arguments: Arguments = ""


class ToolCallReply(Reply):
    id: Annotated[str, null_is("null")] = "null"
    function: Annotated[FunctionReply, null_is(FunctionReply())] = FunctionReply()
    index: Annotated[int, null_is(0)] = 0

    @property
    def has_id(self) -> bool:
        """Mistral's schema has a default, "null", that it does not take back."""
        return self.id not in {"null", ""}


class MessageReply(Reply):
    content: JsonValue = None
    tool_calls: list[ToolCallReply] | None = None


class Choice(Reply):
    message: MessageReply | None = None
    messages: list[MessageReply] | None = None
    """In place of `message` where Mistral ran tools of its own."""
    finish_reason: str | None = None


class ChatReply(TokenReply):
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
        pieces = ContentBuilder()
        for message in messages:
            pieces.add(message.content)
        return pieces.content()

    @property
    def text(self) -> str:
        return "".join(text_of(message.content) for message in self._messages)

    @property
    def thinking(self) -> str:
        return "".join(thinking_of(message.content) for message in self._messages)

    @property
    def tool_calls(self) -> list[ToolCallReply]:
        return [*chain.from_iterable(message.tool_calls or () for message in self._messages)]

    @property
    def finish_reason(self) -> str:
        return self.choices[0].finish_reason or "unknown"

    @property
    def is_cut(self) -> bool:
        """Whether the answer ends where its length had to."""
        return self.finish_reason in CUT_SHORT


class Completion(TokenCall[ChatReply]):
    """What everything that is answered like a chat has in common."""

    repeatable = True

    max_tokens: int | None = None
    stop: list[str] | None = None
    random_seed: int | None = None
    stream: Literal[True] | None = None


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
        if self.temperature == 0 and self.top_p != 1:
            return self.model_copy(update={"top_p": 1}).body()
        return super().body()


class Conversational(Completion):
    """What chat and agents have in common: turns, functions, and the shape of the answer."""

    messages: list[Turn]
    response_format: dict[str, JsonValue] | None = None
    tools: list[dict[str, JsonValue]] | None = None
    tool_choice: str | dict[str, JsonValue] | None = None
    prompt_cache_key: str | None = None
    """Groups requests that begin alike: a prefix that Mistral knows costs a tenth."""


class ChatCall(Conversational, Sampled):
    path = "/v1/chat/completions"

    reasoning_effort: str | None = None
    parallel_tool_calls: bool | None = None


class AgentCall(Conversational):
    """A chat whose model, instructions and sampling are those of an agent that was created at Mistral.

    Mistral calls this API deprecated, in favour of conversations with an `agent_id`.
    """

    path = "/v1/agents/completions"

    agent_id: str


class FimCall(Sampled):
    path = "/v1/fim/completions"

    prompt: str
    suffix: str | None = None
    min_tokens: int | None = None


def joined_arguments(
    first: str | dict[str, JsonValue], second: str | dict[str, JsonValue]
) -> str | dict[str, JsonValue]:
    """Arguments that come in fragments, some of which may happen to be objects by themselves."""
    if first == "":
        return second
    if second == "":
        return first
    return _json(first) + _json(second)


def _json(arguments: str | dict[str, JsonValue]) -> str:
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False)


def prompt_cache_key(caller: Caller, turns: list[Turn]) -> str:
    """The same for all requests of a caller with the same instructions, on every replica; it does not tell whose it is."""
    secret = caller.key or caller.route_token
    if secret:
        own = secret.get_secret_value()
    else:
        own = ""
    instructions = [text_of(turn["content"]) for turn in turns if turn["role"] == "system"]
    return hashlib.blake2b("\0".join([own, *instructions]).encode(errors="replace"), digest_size=16).hexdigest()


def response_format_of(
    schema: dict[str, JsonValue] | None, kind: str | None = None, *, name: str = "response"
) -> dict[str, JsonValue] | None:
    """Mistral's member for a JSON schema, or for a bare kind such as `json_object`."""
    if schema is not None:
        return {
            "type": "json_schema",
            "json_schema": {"name": name, "schema": without_annotations(schema), "strict": True},
        }
    if kind:
        return {"type": kind}
    return None
