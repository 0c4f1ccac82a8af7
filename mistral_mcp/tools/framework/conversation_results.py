"""What a conversation at Mistral takes and gives: tools in, an answer with its calls, files and sources out."""

import json
from typing import Annotated, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, WithJsonSchema

from mistral_mcp.errors import one_of
from mistral_mcp.json_schema import CallerSchema, parse_json
from mistral_mcp.mistral.api.conversations import ConversationReply, Entry
from mistral_mcp.suggest import nearest
from mistral_mcp.tools.framework.arguments import unwrap_function
from mistral_mcp.tools.framework.functions import Function
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of

_BUILT_IN = ("web_search", "web_search_premium", "code_interpreter", "image_generation")
_BRIEF = 300  # characters of what a tool at Mistral was given


def _tool(value: object) -> dict[str, JsonValue]:
    """A tool as Mistral takes it: its own object, the name of a built-in one, or a function in any usual shape."""
    if isinstance(value, str):
        if value in _BUILT_IN:
            return {"type": value}
        meant = nearest(value, _BUILT_IN)
        known = f"{meant} is near" if meant else f"known are {one_of(_BUILT_IN)}"
        raise ValueError(f"there is no built-in tool of this name; {known}")
    if isinstance(value, dict):
        tool = cast("dict[str, JsonValue]", value)
        if tool.get("type", "function") != "function":
            return tool
    try:
        function = Function.model_validate(unwrap_function(value))
    except ValidationError:
        raise ValueError("a function is {name, description, parameters}") from None
    CallerSchema(function.parameters or {"type": "object"}, where="A function's parameters")
    nothing: JsonValue = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"parameters": nothing, **function.model_dump(exclude_none=True)}}


class FunctionResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tool_call_id: Annotated[str, Field(max_length=200)]
    result: JsonValue

    def entry(self) -> dict[str, JsonValue]:
        text = self.result if isinstance(self.result, str) else json.dumps(self.result, ensure_ascii=False)
        return {"type": "function.result", "tool_call_id": self.tool_call_id, "result": text}


class Confirmation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tool_call_id: Annotated[str, Field(max_length=200)]
    confirmation: Literal["allow", "deny"]


_TEXT = {"type": "string"}
_TOOL = WithJsonSchema(
    {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": [*_BUILT_IN, "function", "document_library"]},
            "name": _TEXT,
            "description": _TEXT,
            "parameters": {"type": "object"},
            "library_ids": {"type": "array", "items": _TEXT},
        },
    }
)
_RESULT = WithJsonSchema({"type": "object", "properties": {"tool_call_id": _TEXT, "result": _TEXT}})

Tools = Annotated[
    list[Annotated[dict[str, JsonValue], BeforeValidator(_tool), _TOOL]] | None,
    Field(description="Built-in tools, your functions, document libraries.", max_length=128),
]
FunctionResults = Annotated[
    list[Annotated[FunctionResult, _RESULT]] | None,
    Field(description="What your functions returned.", max_length=128),
]
Confirmations = Annotated[
    list[Confirmation] | None, Field(description="Whether waiting tools may run.", max_length=128)
]


class Call(BaseModel):
    """A function that the caller is to run, or a tool at Mistral that waits for a yes."""

    id: str
    name: str
    arguments: dict[str, JsonValue] | None = Field(description="null where it was no JSON object")
    confirmation_status: Maybe[str] = None


class Execution(BaseModel):
    """What Mistral ran."""

    name: str
    arguments: str


class MadeFile(BaseModel):
    """What a tool at Mistral made; mistral_download_file gets it."""

    file_id: str
    name: Maybe[str] = None


class Source(BaseModel):
    title: str
    url: Maybe[str] = None


class ConversationUsage(Usage):
    connector_tokens: Maybe[int] = None
    connectors: Maybe[dict[str, int]] = Field(default=None, description="Calls of each.")


class Conversation(Result):
    """The answer to a turn, and what it takes to go on."""

    conversation_id: str
    text: str
    calls: list[Call]
    model: Maybe[str] = None
    executions: Maybe[list[Execution]] = None
    handoffs: Maybe[list[str]] = Field(default=None, description="Agents it went to.")
    files: Maybe[list[MadeFile]] = None
    sources: Maybe[list[Source]] = None
    thinking: Maybe[str] = None
    usage: ConversationUsage

    def to_text(self) -> str:
        parts = [self.text] if self.text else []
        for call in self.calls:
            wants = "wants a confirmation for" if call.confirmation_status == "pending" else "calls"
            parts.append(f"{wants} {call.name}({json.dumps(call.arguments, ensure_ascii=False)}), id {call.id}")
        parts += [f"ran {ran.name}({ran.arguments})" for ran in self.executions or ()]
        parts += [f"file {made.file_id} {made.name or ''}".rstrip() for made in self.files or ()]
        parts += [f"source: {source.title} {source.url or ''}".rstrip() for source in self.sources or ()]
        return "\n\n".join([*parts, f"(conversation_id {self.conversation_id})"])

    @classmethod
    def of(cls, mistral: Mistral, reply: ConversationReply, model: str | None = None) -> "Conversation":
        outputs = reply.outputs
        model = next((entry.model for entry in reversed(outputs) if entry.model), model)
        usage = usage_of(mistral, model or "", reply.usage).model_dump()
        if reply.usage and (connectors := reply.usage.connectors):
            # What a connector's call costs is not in the catalogue.
            usage |= {"connectors": connectors, "connector_tokens": reply.usage.connector_tokens, "cost_usd": None}
        files, sources = reply.chunks("tool_file"), reply.chunks("tool_reference")
        return cls(
            conversation_id=reply.conversation_id,
            text=reply.text,
            calls=[call_of(entry) for entry in outputs if entry.type == "function.call"],
            model=model,
            executions=[
                Execution(name=entry.name, arguments=brief(entry))
                for entry in outputs
                if entry.type == "tool.execution"
            ]
            or None,
            handoffs=[entry.next_agent_name or "" for entry in outputs if entry.type == "agent.handoff"] or None,
            files=[MadeFile(file_id=str(file.get("file_id")), name=_text(file, "file_name")) for file in files] or None,
            sources=[Source(title=_text(made, "title") or "", url=_text(made, "url")) for made in sources] or None,
            thinking=reply.thinking or None,
            usage=ConversationUsage.model_validate(usage),
        )


def call_of(entry: Entry) -> Call:
    try:
        arguments = parse_json(entry.arguments or "{}") if isinstance(entry.arguments, str) else entry.arguments
    except ValueError:
        arguments = None
    return Call(
        id=entry.tool_call_id,
        name=entry.name,
        arguments=arguments if isinstance(arguments, dict) else None,
        confirmation_status=entry.confirmation_status,
    )


def brief(entry: Entry) -> str:
    arguments = entry.arguments if isinstance(entry.arguments, str) else json.dumps(entry.arguments)
    return arguments if len(arguments) <= _BRIEF else f"{arguments[: _BRIEF - 1]}…"


def _text(chunk: dict[str, JsonValue], name: str) -> str | None:
    value = chunk.get(name)
    return value if isinstance(value, str) else None
