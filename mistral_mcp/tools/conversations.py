"""Toolset `conversations`: conversations that Mistral keeps, with tools that run there."""

import json
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import conversations as wire
from mistral_mcp.mistral.api.conversation_stream import converse
from mistral_mcp.mistral.api.conversations import ConversationCard, Entry
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.conversation_results import Confirmations, Conversation, FunctionResults, Tools
from mistral_mcp.tools.framework.cut_text import LONG, cut
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.paging import Page, PageSize, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()

ConversationId = Annotated[str, Field(description="conv_….")]
Temperature = Annotated[float | None, Field(description="0: greedy.", ge=0, le=1)]


@toolset.tool("Start a conversation", effect="creates")
async def mistral_start_conversation(
    mistral: Mistral,
    prompt: Annotated[str, Field(description="The first turn.", min_length=1)],
    model: parameters.Model = None,
    agent_id: Annotated[str | None, Field(description="Instead of model.")] = None,
    instructions: parameters.System = None,
    tools: Tools = None,
    temperature: Temperature = None,
    max_tokens: parameters.MaxTokens = None,
    store: Annotated[bool | None, Field(description="false: Mistral keeps nothing.")] = None,
    name: Annotated[str | None, Field(description="To find it again.")] = None,
) -> Conversation:
    """Begin a conversation that Mistral keeps, with a model or an agent; it can search the web, run code, make images."""
    if agent_id is not None and model is not None:
        raise BadArgument("A conversation is with a model or an agent, and both are given.", "Give one of the two.")
    chosen = None if agent_id is not None else model or mistral.settings.chat_model
    call = wire.StartConversationCall(
        model=chosen,
        agent_id=agent_id,
        inputs=prompt,
        instructions=instructions,
        tools=tools,
        completion_args=wire.CompletionArgs(temperature=temperature, max_tokens=max_tokens).wire(),
        store=store,
        name=name,
    )
    return Conversation.of(mistral, await converse(mistral, call, model=chosen or ""), chosen)


@toolset.tool("Continue a conversation", effect="creates")
async def mistral_append_conversation(
    mistral: Mistral,
    conversation_id: ConversationId,
    prompt: parameters.Prompt = None,
    function_results: FunctionResults = None,
    tool_confirmations: Confirmations = None,
    temperature: Temperature = None,
    max_tokens: parameters.MaxTokens = None,
) -> Conversation:
    """Go on with a conversation: with a prompt, or with what its calls wait for."""
    if not (prompt or function_results or tool_confirmations):
        raise BadArgument("There is nothing to append.", "Give prompt, function_results or tool_confirmations.")
    results = [result.entry() for result in function_results or ()]
    turn: list[dict[str, JsonValue]] = [{"type": "message.input", "role": "user", "content": prompt}] if prompt else []
    call = wire.AppendConversationCall(
        conversation_id=conversation_id,
        inputs=results + turn if results else prompt,
        tool_confirmations=[confirmation.model_dump() for confirmation in tool_confirmations or ()] or None,
        completion_args=wire.CompletionArgs(temperature=temperature, max_tokens=max_tokens).wire(),
    )
    return Conversation.of(mistral, await converse(mistral, call))


class HistoryEntry(BaseModel):
    """One turn, call, result, execution or handoff."""

    type: str
    text: str
    role: Maybe[str] = None
    tool_call_id: Maybe[str] = None
    confirmation_status: Maybe[str] = None
    created_at: Maybe[str] = None


class Card(BaseModel):
    """A conversation without its entries."""

    id: str
    name: Maybe[str] = None
    model: Maybe[str] = None
    agent_id: Maybe[str] = None
    created_at: Maybe[str] = None
    updated_at: Maybe[str] = None

    @classmethod
    def of(cls, card: ConversationCard) -> "Card":
        return cls(**card.model_dump())

    def line(self) -> str:
        facts = [self.id, self.name, self.model or self.agent_id, self.updated_at or self.created_at]
        return "  ".join(fact for fact in facts if fact)


class History(Result, Card):
    """A conversation and one page of its entries, the oldest first."""

    entries: list[HistoryEntry]
    total: int
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        entries = [f"{entry.role or entry.type}: {entry.text}" for entry in self.entries]
        more = [] if self.next_page is None else [f"({self.total} entries in all; more on page {self.next_page})"]
        return "\n\n".join([self.line(), *entries, *more])


def _entry(entry: Entry, size: int) -> HistoryEntry:
    match entry.type:
        case "function.call" | "tool.execution":
            text = (
                f"{entry.name}({entry.arguments if isinstance(entry.arguments, str) else json.dumps(entry.arguments)})"
            )
        case "function.result":
            text = entry.result if isinstance(entry.result, str) else json.dumps(entry.result)
        case "agent.handoff":
            text = entry.next_agent_name or entry.next_agent_id or ""
        case _:
            files = (f"[file {chunk.get('file_id')}]" for chunk in entry.chunks("tool_file"))
            text = " ".join(filter(None, [entry.text, *files]))
    return HistoryEntry(
        type=entry.type,
        text=cut(text, "Ask with page_size 1 for a longer part of this entry.", size),
        role=entry.role,
        tool_call_id=entry.tool_call_id or None,
        confirmation_status=entry.confirmation_status,
        created_at=entry.created_at,
    )


@toolset.tool("Read a conversation", effect="reads")
async def mistral_get_conversation(
    mistral: Mistral, conversation_id: ConversationId, page: Page = 0, page_size: PageSize = 50
) -> History:
    """Read a conversation: who it is with, and its entries, the oldest first."""
    card = await mistral.send(wire.GetConversationCall(conversation_id=conversation_id))
    entries = (await mistral.send(wire.GetHistoryCall(conversation_id=conversation_id))).entries
    shown = entries[page * page_size : (page + 1) * page_size]
    return History(
        **card.model_dump(),
        entries=[_entry(entry, LONG // len(shown)) for entry in shown],
        total=len(entries),
        next_page=next_page(page, page_size, len(shown), len(entries)),
    )


class Conversations(Result):
    """One page of conversations."""

    conversations: list[Card]
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        lines = [card.line() for card in self.conversations]
        return list_text(lines, "No conversations here.", self.next_page, None)


@toolset.tool("List conversations", effect="reads")
async def mistral_list_conversations(mistral: Mistral, page: Page = 0, page_size: PageSize = 20) -> Conversations:
    """See the conversations that Mistral keeps for this key."""
    cards = await mistral.send(wire.ListConversationsCall(page=page, page_size=page_size))
    following = next_page(page, page_size, len(cards), None)
    return Conversations(conversations=[Card.of(card) for card in cards], next_page=following)


class DeletedConversation(Result):
    id: str
    deleted: bool = True

    def to_text(self) -> str:
        return f"Deleted {self.id}."


@toolset.tool("Delete a conversation", effect="deletes")
async def mistral_delete_conversation(mistral: Mistral, conversation_id: ConversationId) -> DeletedConversation:
    """Delete a conversation at Mistral, for good."""
    await mistral.send(wire.DeleteConversationCall(conversation_id=conversation_id))
    return DeletedConversation(id=conversation_id)
