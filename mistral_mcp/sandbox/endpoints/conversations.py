"""`/v1/conversations`: conversations that Mistral stores."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import TypeAdapter

from mistral_mcp.sandbox.answers.conversation_events import conversation_events
from mistral_mcp.sandbox.answers.edge_streams import stream_conversation
from mistral_mcp.sandbox.endpoints.agents import check_agent
from mistral_mcp.sandbox.endpoints.conversation_turns import finish_entry, take_turn
from mistral_mcp.sandbox.protocol.chat_request import CompletionArgs, Guardrail
from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.entries import ConversationTool, Entry, Inputs, parse_inputs
from mistral_mcp.sandbox.protocol.errors import ApiError, refusal
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Metadata, MetadataFilter, Paging, Strict
from mistral_mcp.sandbox.state.conversations import AGENT_MODEL, Conversation, Conversations
from mistral_mcp.sandbox.state.fine_tuned_models import require_model

TOOLS: TypeAdapter[list[ConversationTool]] = TypeAdapter(list[ConversationTool])


class TurnFields(Strict):
    """The fields of every request that starts or continues a conversation."""

    stream: bool = False
    store: bool | None = None
    handoff_execution: Literal["server", "client"] | None = None
    completion_args: CompletionArgs | None = None


class Start(TurnFields):
    inputs: Inputs
    model: str | None = None
    agent_id: str | None = None
    agent_version: int | str | None = None
    instructions: str | None = None
    tools: list[ConversationTool] | None = None
    guardrails: list[Guardrail] | None = None
    name: str | None = None
    description: str | None = None
    metadata: Metadata | None = None


class Confirmation(Strict):
    tool_call_id: str
    confirmation: Literal["allow", "deny"]


class Append(TurnFields):
    inputs: Inputs | None = None
    tool_confirmations: list[Confirmation] | None = None


class Restart(TurnFields):
    inputs: Inputs | None = None
    from_entry_id: str
    guardrails: list[Guardrail] | None = None
    metadata: Metadata | None = None
    agent_version: int | str | None = None


class ConversationFilter(Paging):
    metadata: MetadataFilter = {}


def invalid_conversation(details: Sequence[Mapping[str, Any]]) -> ApiError:
    """The 422 of conversations, which differs from others: `Error` with a capital letter, and a number as code."""
    problems = list(details)
    body = {
        "object": "Error",
        "detail": problems,
        "message": problems,
        "type": "invalid_request_error",
        "code": 3001,
    }
    return ApiError(json_reply(body, 422))


def start(call: Call) -> Reply:
    body = call.body(Start, invalid_conversation)
    if (body.model is None) == (body.agent_id is None):
        raise _invalid_value("exactly one of model and agent_id must be provided", body.model)
    if body.agent_version is not None and body.agent_id is None:
        raise _invalid_value("agent_version needs an agent_id", body.agent_version)

    agent = None
    if body.agent_id is not None:
        agent = check_agent(call.account, body.agent_id)
    settings = {}
    if agent:
        settings = agent.settings(body.agent_version)
    if body.model is not None:
        require_model(call.account, body.model, "completion_chat")

    tools = TOOLS.validate_python(settings.get("tools", []))
    conversation = Conversation(
        id=_new_id(call),
        model=body.model,
        agent_id=body.agent_id,
        agent_version=body.agent_version,
        agent_model=settings.get("model", AGENT_MODEL),
        instructions=body.instructions or settings.get("instructions"),
        tools=body.tools or tools,
        args=body.completion_args or CompletionArgs(),
        guardrails=body.guardrails or (),
        name=body.name,
        description=body.description,
        metadata=body.metadata,
    )
    return _continue(call, conversation, body, parse_inputs(body.inputs))


def append(call: Call) -> Reply:
    body = call.body(Append, invalid_conversation)
    known = _conversation(call)
    decided = {each.tool_call_id: each.confirmation for each in body.tool_confirmations or []}
    pending = {entry["tool_call_id"] for entry in known.entries if entry.get("confirmation_status") == "pending"}
    if decided.keys() - pending:
        raise _invalid_value(
            "tool_confirmations names a call that waits for none", sorted(decided.keys() - pending)
        )
    if pending - decided.keys():
        message = "Some tool calls wait for confirmation"
        raise refusal(400, message, "invalid_request_message_order", "3230")

    entries = [_apply_confirmation(entry, decided) for entry in known.entries]
    conversation = replace(known, entries=entries, updated_at=iso_time())
    return _continue(call, conversation, body, parse_inputs(body.inputs))


def restart(call: Call) -> Reply:
    """Start a new conversation with the entries of an old one, up to and including `from_entry_id`."""
    body = call.body(Restart, invalid_conversation)
    known = _conversation(call)
    places = [place for place, entry in enumerate(known.entries) if entry["id"] == body.from_entry_id]
    if not places:
        raise refusal(404, f"Entry {body.from_entry_id} not found.", "not_found_error")

    guardrails, metadata = body.guardrails, body.metadata
    if metadata is None:
        metadata = known.metadata
    conversation = replace(
        known,
        id=_new_id(call),
        entries=known.entries[: places[0] + 1],
        guardrails=known.guardrails if guardrails is None else guardrails,
        metadata=metadata,
        agent_version=body.agent_version or known.agent_version,
        created_at=iso_time(),
        updated_at=iso_time(),
    )
    return _continue(call, conversation, body, parse_inputs(body.inputs))


def list_conversations(call: Call) -> Reply:
    """A JSON array, newest first."""
    query = call.query(ConversationFilter)
    found = [
        conversation
        for conversation in call.account.section(Conversations).newest_first()
        if query.metadata.items() <= (conversation.metadata or {}).items()
    ]
    return json_reply([_card(conversation) for conversation in query.cut(found)])


def get_conversation(call: Call) -> Reply:
    return json_reply(_card(_conversation(call)))


def delete(call: Call) -> Reply:
    call.account.section(Conversations).remove(call.params["conversation_id"])
    return Reply(204)


def history(call: Call) -> Reply:
    conversation = _conversation(call)
    history = {"entries": conversation.entries, "object": "conversation.history"}
    return json_reply({"conversation_id": conversation.id, **history})


def messages(call: Call) -> Reply:
    conversation = _conversation(call)
    found = [entry for entry in conversation.entries if entry["type"].startswith("message.")]
    return json_reply(
        {
            "conversation_id": conversation.id,
            "messages": found,
            "object": "conversation.messages",
        }
    )


def _continue(call: Call, conversation: Conversation, body: TurnFields, added: list[Entry]) -> Reply:
    """Add the entries, take a turn, store the conversation unless `store` is false, and reply with the turn."""
    entries = [finish_entry(call.account, entry, _prefix(entry)) for entry in added]
    conversation = replace(conversation, entries=[*conversation.entries, *entries])
    turn = take_turn(call.account, conversation, body.completion_args or conversation.args)
    conversation.entries.extend(turn.outputs)
    if body.store is not False:
        call.account.section(Conversations).put(conversation.id, conversation)
    if body.stream:
        return stream_conversation(
            conversation.model, conversation_events(conversation.id, turn.outputs, turn.usage)
        )
    reply = {
        "object": "conversation.response",
        "conversation_id": conversation.id,
        "outputs": turn.outputs,
        "usage": turn.usage,
        "guardrails": turn.guardrails,
    }
    return json_reply(reply, headers=call.account.meter(turn.model).headers(turn.tokens))


def _conversation(call: Call) -> Conversation:
    return call.account.section(Conversations).get(call.params["conversation_id"])


def _new_id(call: Call) -> str:
    return f"conv_{call.account.new_id('conversation').replace('-', '')}"


def _prefix(entry: Entry) -> str:
    """The prefix of the entry's id."""
    kind = entry["type"].partition(".")[0]
    return {"message": "msg", "function": "fc", "tool": "tool_exec"}.get(kind, "entry")


def _apply_confirmation(entry: Entry, decided: Mapping[str, str]) -> Entry:
    if entry.get("confirmation_status") != "pending":
        return entry
    status = "denied"
    if decided[entry["tool_call_id"]] == "allow":
        status = "allowed"
    return {**entry, "confirmation_status": status}


def _card(conversation: Conversation) -> dict[str, Any]:
    shared = {
        "id": conversation.id,
        "object": "conversation",
        "name": conversation.name,
        "description": conversation.description,
        "metadata": conversation.metadata,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
    }
    if conversation.agent_id is not None:
        return {
            **shared,
            "agent_id": conversation.agent_id,
            "agent_version": conversation.agent_version,
        }
    return {
        **shared,
        "model": conversation.model,
        "instructions": conversation.instructions,
        "tools": [tool.model_dump(by_alias=True, exclude_none=True) for tool in conversation.tools],
        "completion_args": conversation.args.model_dump(by_alias=True, exclude_none=True),
        "guardrails": [guardrail.model_dump(exclude_none=True) for guardrail in conversation.guardrails] or None,
    }


def _invalid_value(message: str, value: Any) -> ApiError:
    return invalid_conversation(
        [
            {
                "type": "value_error",
                "loc": ["body"],
                "msg": f"Value error, {message}",
                "input": value,
            }
        ]
    )


ENDPOINTS = (
    Endpoint("POST", "/v1/conversations", start),
    Endpoint("GET", "/v1/conversations", list_conversations),
    Endpoint("GET", "/v1/conversations/{conversation_id}", get_conversation),
    Endpoint("POST", "/v1/conversations/{conversation_id}", append),
    Endpoint("DELETE", "/v1/conversations/{conversation_id}", delete),
    Endpoint("GET", "/v1/conversations/{conversation_id}/history", history),
    Endpoint("GET", "/v1/conversations/{conversation_id}/messages", messages),
    Endpoint("POST", "/v1/conversations/{conversation_id}/restart", restart),
)
