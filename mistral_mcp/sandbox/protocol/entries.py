"""The entries of a conversation: as callers send them, and converted to chat messages."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, Tag, TypeAdapter

from mistral_mcp.sandbox.protocol.messages import (
    ConnectorTool,
    DocumentLibraryTool,
    DocumentURLChunk,
    FunctionTool,
    ImageGenerationTool,
    ImageURLChunk,
    Message,
    TextChunk,
    ThinkChunk,
    ToolConfiguration,
)
from mistral_mcp.sandbox.protocol.replies import compact
from mistral_mcp.sandbox.protocol.strict import Strict

Entry = dict[str, Any]


class _InputEntry(Strict):
    """An entry from a reply may be sent back with all of its members."""

    object: Literal["entry"] = "entry"
    id: str | None = None
    created_at: str | None = None
    completed_at: str | None = None


class ToolFileChunk(Strict):
    type: Literal["tool_file"] = "tool_file"
    tool: str
    file_id: str
    file_name: str | None = None
    file_type: str | None = None


InputChunk = Annotated[
    TextChunk | ImageURLChunk | DocumentURLChunk | ThinkChunk | ToolFileChunk, Field(discriminator="type")
]
"""Conversations accept neither audio nor file ids."""


class MessageInput(_InputEntry):
    type: Literal["message.input"] = "message.input"
    role: Literal["user", "assistant"]
    content: str | list[InputChunk]
    prefix: bool = False


class MessageOutput(_InputEntry):
    type: Literal["message.output"] = "message.output"
    role: Literal["assistant"] = "assistant"
    content: str | list[dict[str, Any]]
    agent_id: str | None = None
    model: str | None = None


class FunctionCallEntry(_InputEntry):
    type: Literal["function.call"] = "function.call"
    tool_call_id: str
    name: str
    arguments: dict[str, Any] | str
    agent_id: str | None = None
    model: str | None = None
    confirmation_status: Literal["pending", "allowed", "denied"] | None = None


class FunctionResult(_InputEntry):
    type: Literal["function.result"] = "function.result"
    tool_call_id: str
    result: str


class ToolExecution(_InputEntry):
    type: Literal["tool.execution"] = "tool.execution"
    name: str
    arguments: str
    agent_id: str | None = None
    model: str | None = None
    info: dict[str, Any] | None = None


class AgentHandoff(_InputEntry):
    type: Literal["agent.handoff"] = "agent.handoff"
    previous_agent_id: str
    previous_agent_name: str
    next_agent_id: str
    next_agent_name: str


def _entry_type(sent: Any) -> str | None:
    """The `type` of an entry; without one, it follows from the entry's members."""
    if not isinstance(sent, dict):
        return cast("str | None", getattr(sent, "type", None))
    entry = cast("Entry", sent)
    if entry.get("type"):
        return str(entry["type"])
    if "result" in entry:
        return "function.result"
    return "message.input"


InputEntry = Annotated[
    Annotated[MessageInput, Tag("message.input")]
    | Annotated[MessageOutput, Tag("message.output")]
    | Annotated[FunctionCallEntry, Tag("function.call")]
    | Annotated[FunctionResult, Tag("function.result")]
    | Annotated[ToolExecution, Tag("tool.execution")]
    | Annotated[AgentHandoff, Tag("agent.handoff")],
    Discriminator(_entry_type),
]
Inputs = str | list[InputEntry]


class BuiltInTool(Strict):
    type: Literal["web_search", "web_search_premium", "code_interpreter"]
    tool_configuration: ToolConfiguration | None = None


BuiltIn = BuiltInTool | ImageGenerationTool | DocumentLibraryTool | ConnectorTool
ConversationTool = Annotated[FunctionTool | BuiltIn, Field(discriminator="type")]
_MESSAGES: TypeAdapter[list[Message]] = TypeAdapter(list[Message])


def parse_inputs(inputs: Inputs | None) -> list[Entry]:
    """The inputs of a request as entries. A string is a user message."""
    if isinstance(inputs, str):
        if inputs:
            return [
                {
                    "type": "message.input",
                    "role": "user",
                    "content": inputs,
                    "prefix": False,
                }
            ]
        return []
    return [entry.model_dump(exclude={"object", "id", "created_at", "completed_at"}) for entry in inputs or []]


def entries_to_messages(entries: Sequence[Entry], instructions: str | None) -> list[Message]:
    """The entries as chat messages. Successive function calls become one message; tool executions are left out."""
    messages: list[dict[str, Any]] = []
    if instructions:
        messages = [{"role": "system", "content": instructions}]
    for entry in entries:
        match entry["type"]:
            case "message.input" if entry["role"] == "user":
                messages.append({"role": "user", "content": _without_tool_files(entry["content"])})
            case "message.input":
                messages.append(
                    {
                        "role": "assistant",
                        "content": entry["content"],
                        "prefix": entry["prefix"],
                    }
                )
            case "message.output":
                messages.append({"role": "assistant", "content": output_text(entry)})
            case "function.call" if entry.get("confirmation_status") is None:
                if not messages or "tool_calls" not in messages[-1]:
                    messages.append(
                        {
                            "role": "assistant",
                            "content": "",
                            "tool_calls": [],
                        }
                    )
                function = {"name": entry["name"], "arguments": entry["arguments"]}
                messages[-1]["tool_calls"].append({"id": entry["tool_call_id"], "function": function})
            case "function.result":
                messages.append(
                    {
                        "role": "tool",
                        "tool_call_id": entry["tool_call_id"],
                        "content": entry["result"],
                    }
                )
            case _:
                pass
    return _MESSAGES.validate_json(compact(messages))


def _without_tool_files(content: Any) -> Any:
    """Without `tool_file` chunks, which chat does not accept."""
    if isinstance(content, str):
        return content
    return [chunk for chunk in cast("list[Entry]", content) if chunk["type"] != "tool_file"]


def output_text(entry: Entry) -> str:
    """The text of an output message."""
    content: Any = entry["content"]
    if isinstance(content, str):
        return content
    return "".join(
        str(chunk.get("text", "")) for chunk in cast("list[Entry]", content) if chunk.get("type") == "text"
    )
