"""Toolset `conversations`: conversations that Mistral stores, with tools that run there."""

from typing import Annotated

from pydantic import Field

from mistral_mcp.errors import BadArgument
from mistral_mcp.json_schema import compile_schema
from mistral_mcp.mistral.api import conversations
from mistral_mcp.mistral.api.chat import response_format_of
from mistral_mcp.mistral.api.conversation_stream import converse
from mistral_mcp.mistral.api.conversations import CompletionArgs, ConversationCall, ConversationCard
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.conversations.history import HistoryEntry
from mistral_mcp.tools.framework.conversations.inputs import (
    Confirmations,
    FunctionResults,
    Tools,
    build_inputs,
    check_tools,
    system_text,
)
from mistral_mcp.tools.framework.conversations.results import (
    Conversation,
    conversation_of,
)
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.paging import Page, PageSize, counted, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Deleted, Maybe, Result
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

ConversationId = Annotated[str, Field(description="Conversation id.", min_length=1, max_length=100)]
Temperature = Annotated[float | None, Field(description="Sampling temperature.", ge=0, le=1)]
AgentVersion = Annotated[
    str | None, Field(description="Agent's version or its alias.", min_length=1, max_length=64)
]


@toolset.tool("Start a conversation", effect="creates", charge=Charge())
async def mistral_start_conversation(
    mistral: Mistral,
    kept_results: KeptResults,
    prompt: parameters.Prompt = None,
    messages: parameters.Messages = None,
    model: parameters.Model = None,
    agent_id: Annotated[
        str | None, Field(description="Agent id, instead of model.", min_length=1, max_length=100)
    ] = None,
    agent_version: AgentVersion = None,
    instructions: parameters.System = None,
    tools: Tools = None,
    images: parameters.Images = None,
    documents: parameters.Documents = None,
    temperature: Temperature = None,
    top_p: parameters.TopP = None,
    max_tokens: parameters.MaxTokens = None,
    stop: parameters.Stop = None,
    random_seed: parameters.RandomSeed = None,
    json_schema: parameters.JsonSchema = None,
    reasoning_effort: parameters.ReasoningEffort = None,
    store: Annotated[bool | None, Field(description="false: Mistral stores nothing.")] = None,
    name: Annotated[str | None, Field(description="Name to find it by.", max_length=255)] = None,
) -> Conversation:
    """Start a conversation that Mistral stores, with a model or an agent that can search the web, run code, make images."""
    if agent_id is not None and model is not None:
        raise BadArgument("model and agent_id are given together.", "Give one of the two.")
    if agent_version is not None and agent_id is None:
        raise BadArgument("agent_version needs agent_id, which is missing.", "Give agent_id too.")
    inputs = await build_inputs(mistral, prompt, messages, images=images, documents=documents)
    if inputs is None:
        raise BadArgument("prompt and messages are both missing.", "Give one of the two.")
    await check_tools(tools)
    if json_schema is not None:
        schema = await compile_schema(json_schema, where="json_schema")
    else:
        schema = None
    if agent_id is not None:
        chosen = None
    else:
        chosen = model or mistral.settings.chat_model
    call = conversations.StartConversationCall(
        model=chosen,
        agent_id=agent_id,
        agent_version=_version(agent_version),
        inputs=inputs,
        instructions=system_text(messages, instructions),
        tools=tools,
        completion_args=CompletionArgs(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            stop=stop,
            random_seed=random_seed,
            response_format=response_format_of(json_schema),
            reasoning_effort=reasoning_effort,
        ).wire(),
        store=store,
        name=name,
    )
    reply = await converse(mistral, call, model=chosen or "")
    return await conversation_of(mistral, kept_results, reply, chosen, schema)


@toolset.tool("Continue a conversation", effect="creates", charge=Charge())
async def mistral_append_conversation(
    mistral: Mistral,
    kept_results: KeptResults,
    conversation_id: ConversationId,
    prompt: parameters.Prompt = None,
    function_results: FunctionResults = None,
    tool_confirmations: Confirmations = None,
    images: parameters.Images = None,
    documents: parameters.Documents = None,
    temperature: Temperature = None,
    max_tokens: parameters.MaxTokens = None,
    json_schema: parameters.JsonSchema = None,
    reasoning_effort: parameters.ReasoningEffort = None,
    from_entry_id: Annotated[
        str | None,
        Field(description="Restart from this entry, as a new conversation.", min_length=1, max_length=100),
    ] = None,
    agent_version: AgentVersion = None,
) -> Conversation:
    """Continue a conversation with a prompt or with the results its calls wait for, or restart it from an entry."""
    inputs = await build_inputs(
        mistral, prompt, None, images=images, documents=documents, results=function_results
    )
    if inputs is None and not tool_confirmations:
        raise BadArgument("There is nothing to append.", "Give prompt, function_results or tool_confirmations.")
    if json_schema is not None:
        schema = await compile_schema(json_schema, where="json_schema")
    else:
        schema = None
    args = CompletionArgs(
        temperature=temperature,
        max_tokens=max_tokens,
        response_format=response_format_of(json_schema),
        reasoning_effort=reasoning_effort,
    ).wire()
    call: ConversationCall
    if from_entry_id is None:
        if agent_version is not None:
            raise BadArgument("agent_version needs from_entry_id, which is missing.", "Leave it out.")
        call = conversations.AppendConversationCall(
            conversation_id=conversation_id,
            inputs=inputs,
            completion_args=args,
            tool_confirmations=[confirmation.model_dump() for confirmation in tool_confirmations or ()] or None,
        )
    else:
        if tool_confirmations:
            raise BadArgument("A restart takes no tool_confirmations.", "Leave out one of the two.")
        call = conversations.RestartConversationCall(
            conversation_id=conversation_id,
            from_entry_id=from_entry_id,
            inputs=inputs,
            completion_args=args,
            agent_version=_version(agent_version),
        )
    return await conversation_of(mistral, kept_results, await converse(mistral, call), schema=schema)


def _version(version: str | None) -> int | str | None:
    """A version is a number; an alias is a word."""
    if version is None or not version.isdecimal():
        return version
    return int(version)


def card_line(card: ConversationCard) -> str:
    """A conversation as a line of text."""
    facts = [card.id, card.name, card.model or card.agent_id, card.updated_at or card.created_at]
    return "  ".join(fact for fact in facts if fact)


class History(Result, ConversationCard):
    """A conversation and one page of its entries, the oldest first."""

    entries: list[HistoryEntry]
    total: int
    next_page: Maybe[int] = None
    kept: Maybe[Kept] = Field(default=None, description="this page's entries uncut")

    def to_text(self) -> str:
        parts = [card_line(self), *(entry.line() for entry in self.entries)]
        parts += [f"Some entries are cut. {self.kept.note()}"] if self.kept else []
        if self.next_page is not None:
            parts.append(f"({counted(self.total, 'entry', 'entries')}; more on page {self.next_page})")
        return "\n\n".join(parts)


@toolset.tool("Read a conversation", effect="reads")
async def mistral_get_conversation(
    mistral: Mistral,
    kept_results: KeptResults,
    conversation_id: ConversationId,
    page: Page = 0,
    page_size: PageSize = 50,
) -> History:
    """Read a conversation and its entries, the oldest first."""
    card = await mistral.send(conversations.GetConversationCall(conversation_id=conversation_id))
    history = await mistral.send(conversations.GetHistoryCall(conversation_id=conversation_id))
    entries = [HistoryEntry.of(entry) for entry in history.entries[page * page_size : (page + 1) * page_size]]
    shown = [entry.cut(LONG // len(entries)) for entry in entries]
    kept = None
    if shown != entries:
        text = "\n\n".join(entry.line() for entry in entries)
        kept = await kept_results.keep(text, filename="conversation.md", mime_type="text/markdown")
    return History.from_reply(
        card,
        entries=shown,
        total=len(history.entries),
        next_page=next_page(page, page_size, len(shown), len(history.entries)),
        kept=kept,
    )


class Conversations(Result):
    """One page of conversations."""

    conversations: list[ConversationCard]
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text(list(map(card_line, self.conversations)), "No conversations.", self.next_page, None)


@toolset.tool("List conversations", effect="reads")
async def mistral_list_conversations(mistral: Mistral, page: Page = 0, page_size: PageSize = 20) -> Conversations:
    """List the conversations that Mistral stores for this key."""
    cards = await mistral.send(conversations.ListConversationsCall(page=page, page_size=page_size))
    return Conversations(conversations=cards, next_page=next_page(page, page_size, len(cards), None))


@toolset.tool("Delete a conversation", effect="deletes")
async def mistral_delete_conversation(mistral: Mistral, conversation_id: ConversationId) -> Deleted:
    """Delete a conversation from Mistral permanently."""
    await mistral.send(conversations.DeleteConversationCall(conversation_id=conversation_id))
    return Deleted(id=conversation_id)
