"""Conversations that Mistral keeps, with tools that it runs itself; whole or streamed.

Source: `/v1/conversations`.
"""

from itertools import chain
from typing import Annotated, Literal

from pydantic import JsonValue

from mistral_mcp.mistral.api.chat import Arguments, Text
from mistral_mcp.mistral.api.content import Chunk, chunks_of, text_of, thinking_of
from mistral_mcp.mistral.api.usage import UsageReply, consumption_of, token_cost
from mistral_mcp.mistral.call import Call, Maybe, Moment, Reply, null_is
from mistral_mcp.mistral.consumption import Meter


class Entry(Reply):
    """One entry of any type; what its type does not have is empty."""

    type: Text = ""
    id: Text = ""
    role: str | None = None
    content: JsonValue = None
    model: str | None = None
    tool_call_id: Text = ""
    name: Text = ""
    arguments: Arguments = ""
    confirmation_status: str | None = None
    result: JsonValue = None
    info: Annotated[dict[str, JsonValue], null_is({})] = {}
    """What a tool at Mistral did: of the code interpreter `code` and `code_output`."""
    next_agent_id: str | None = None
    next_agent_name: str | None = None
    created_at: Moment | None = None

    @property
    def text(self) -> str:
        return text_of(self.content)

    def chunks(self, kind: str) -> list[Chunk]:
        """The content's chunks of this type."""
        return [chunk for chunk in chunks_of(self.content) if chunk.get("type") == kind]


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

    @property
    def model(self) -> str:
        """Of the last entry that names one; an agent may hand over to another."""
        named = (entry.model for entry in reversed(self.outputs) if entry.model)
        return next(named, "")

    def chunks(self, kind: str) -> list[Chunk]:
        return [*chain.from_iterable(entry.chunks(kind) for entry in self.outputs)]


class ConversationCall(Call[ConversationReply]):
    """What starting, appending and restarting have in common."""

    inputs: str | list[dict[str, JsonValue]] | None = None
    completion_args: dict[str, JsonValue] | None = None
    store: bool | None = None
    stream: Literal[True] | None = None

    @property
    def model_name(self) -> str:
        """The model, as far as the caller knows it."""
        return ""

    def measure(self, reply: ConversationReply, meter: Meter) -> None:
        model, usage = reply.model or self.model_name, reply.usage
        cost = token_cost(meter.catalog, model, usage, regional=meter.regional)
        if usage is not None and usage.connectors:
            cost = None  # what a connector's call costs is not in the catalogue
        meter.add(consumption_of(model, usage, cost))


class StartConversationCall(ConversationCall):
    path = "/v1/conversations"

    model: str | None = None
    agent_id: str | None = None
    agent_version: int | str | None = None
    instructions: str | None = None
    tools: list[dict[str, JsonValue]] | None = None
    name: str | None = None

    @property
    def model_name(self) -> str:
        return self.model or ""


class AppendConversationCall(ConversationCall):
    path = "/v1/conversations/{conversation_id}"

    conversation_id: str
    tool_confirmations: list[dict[str, JsonValue]] | None = None


class RestartConversationCall(ConversationCall):
    """Makes a new conversation of what stands before an entry of another."""

    path = "/v1/conversations/{conversation_id}/restart"

    conversation_id: str
    from_entry_id: str
    agent_version: int | str | None = None


class ConversationCard(Reply):
    id: str
    name: Maybe[str] = None
    model: Maybe[str] = None
    agent_id: Maybe[str] = None
    created_at: Maybe[Moment] = None
    updated_at: Maybe[Moment] = None


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


class CompletionArgs(Reply):
    """What conversations let pass of the completion API."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    random_seed: int | None = None
    response_format: dict[str, JsonValue] | None = None
    reasoning_effort: str | None = None

    def wire(self) -> dict[str, JsonValue] | None:
        """Greedy sampling tolerates no other `top_p` than 1."""
        args: dict[str, JsonValue] = self.model_dump(exclude_none=True)
        if self.temperature == 0:
            args["top_p"] = 1
        return args or None
