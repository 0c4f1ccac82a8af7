"""Inputs of a conversation at Mistral: entries, tools that run there, and results that its calls wait for."""

import json
from typing import Annotated, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, WithJsonSchema

from mistral_mcp.errors import BadArgument, one_of
from mistral_mcp.json_schema import compile_schemas
from mistral_mcp.mistral.api.content import chunks_of, text_of
from mistral_mcp.mistral.api.messages import Message, conversation
from mistral_mcp.suggest import nearest
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.arguments import unwrap_function
from mistral_mcp.tools.framework.functions import Function, function_to_api
from mistral_mcp.tools.framework.request import Mistral

Entry = dict[str, JsonValue]

BUILT_IN = ("web_search", "web_search_premium", "code_interpreter", "image_generation")
MAX_RESULTS = 128

_MEMBERS: dict[str, frozenset[str]] = {
    **dict.fromkeys(BUILT_IN, frozenset[str]()),
    "document_library": frozenset({"library_ids"}),
}
"""What Mistral's own tools must have; they take none of the other members that our schema names."""
_ALL_MEMBERS = frozenset({"name", "description", "parameters", "library_ids"})


def _tool(value: object) -> dict[str, JsonValue]:
    """A tool as Mistral takes it: its own object, the name of a built-in one, or a function in any usual shape."""
    if isinstance(value, str):
        return _find_built_in(value)
    if isinstance(value, dict):
        tool = cast("dict[str, JsonValue]", value)
        if tool.get("type", "function") != "function":
            _check_members(tool)
            return tool
    try:
        function = Function.model_validate(unwrap_function(value))
    except ValidationError:
        raise ValueError("a function is {name, description, parameters}") from None
    return function_to_api(function)


def _check_members(tool: dict[str, JsonValue]) -> None:
    """Raises `ValueError` for members that this kind of tool does not have, or needs. Kinds unknown here are Mistral's to check."""
    kind = tool["type"]
    if not isinstance(kind, str):
        raise ValueError("the type of a tool is a name")  # noqa: TRY004 - pydantic reports only this one
    needed = _MEMBERS.get(kind)
    if needed is None:
        return
    foreign = sorted(_ALL_MEMBERS & tool.keys() - needed)
    if foreign:
        raise ValueError(f"{kind} takes no {foreign[0]}")
    missing = sorted(needed - tool.keys())
    if missing:
        raise ValueError(f"{kind} needs {missing[0]}")


async def check_tools(tools: list[dict[str, JsonValue]] | None) -> None:
    """Raises `BadArgument` if a function's parameters are not a valid schema, or all of them together are too large."""
    functions = [cast("dict[str, JsonValue]", tool.get("function") or {}) for tool in tools or ()]
    schemas = {
        f"tools[{index}].parameters": function.get("parameters") for index, function in enumerate(functions)
    }
    await compile_schemas({where: schema for where, schema in schemas.items() if isinstance(schema, dict)})


def _find_built_in(name: str) -> dict[str, JsonValue]:
    if name in BUILT_IN:
        return {"type": name}
    similar = nearest(name, BUILT_IN)
    if similar:
        hint = f"did you mean {similar}?"
    else:
        hint = f"there are {one_of(BUILT_IN)}"
    raise ValueError(f"unknown built-in tool; {hint}")


class FunctionResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tool_call_id: Annotated[str, Field(max_length=256)]
    result: JsonValue

    def entry(self) -> Entry:
        if isinstance(self.result, str):
            text = self.result
        else:
            text = json.dumps(self.result, ensure_ascii=False)
        return {"type": "function.result", "tool_call_id": self.tool_call_id, "result": text}


class Confirmation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tool_call_id: Annotated[str, Field(max_length=256)]
    confirmation: Literal["allow", "deny"]


_TEXT = {"type": "string"}
_ID = {"type": "string", "maxLength": 256}
_TOOL_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": [*BUILT_IN, "function", "document_library"], "maxLength": 64},
        "name": _ID,
        "description": _TEXT,
        "parameters": {"type": "object"},
        "library_ids": {"type": "array", "items": _ID},
    },
}
_RESULT_SCHEMA = {"type": "object", "properties": {"tool_call_id": _TEXT, "result": _TEXT}}

Tools = Annotated[
    list[Annotated[dict[str, JsonValue], BeforeValidator(_tool), WithJsonSchema(_TOOL_SCHEMA)]] | None,
    Field(description="Built-in tools, your functions, document libraries.", max_length=128),
]
FunctionResults = Annotated[
    list[Annotated[FunctionResult, WithJsonSchema(_RESULT_SCHEMA)]] | None,
    Field(description="Results of its function calls.", max_length=MAX_RESULTS),
]
Confirmations = Annotated[
    list[Confirmation] | None, Field(description="Whether waiting tools may run.", max_length=MAX_RESULTS)
]


async def build_inputs(
    mistral: Mistral,
    prompt: str | None,
    messages: list[Message] | None,
    *,
    images: list[str] | None,
    documents: list[str] | None,
    results: list[FunctionResult] | None = None,
) -> str | list[Entry] | None:
    """The new entries; None if there are none, a string if there is only text. Raises `BadArgument`."""
    entries = [result.entry() for result in results or ()]
    for turn in conversation([message for message in messages or () if message.role != "system"]):
        entries += _entries(turn)
    attached = await parameters.attached_chunks(mistral, images, documents, by_id=False)
    if attached and prompt is None:
        raise BadArgument("There is no prompt for the images or documents.", "Give a prompt to go with them.")
    if prompt is None:
        return entries or None
    if not entries and not attached:
        return prompt
    content = cast("JsonValue", [*chunks_of(prompt), *attached] if attached else prompt)
    return [*entries, {"type": "message.input", "role": "user", "content": content}]


def system_text(messages: list[Message] | None, instructions: str | None) -> str | None:
    """The instructions with the earlier system messages: a conversation has no entries for these."""
    texts = [text_of(cast("JsonValue", message.content)) for message in messages or () if message.role == "system"]
    return "\n\n".join(filter(None, [instructions, *texts])) or None


def _entries(turn: Entry) -> list[Entry]:
    """The entries for a chat message."""
    if turn["role"] == "tool":
        text = text_of(turn["content"])
        return [{"type": "function.result", "tool_call_id": turn["tool_call_id"], "result": text}]
    said: Entry = {"type": "message.input", "role": turn["role"], "content": turn["content"]}
    calls = chunks_of(turn.get("tool_calls"))
    return [*([said] if turn["content"] else []), *map(_call_entry, calls)]


def _call_entry(call: Entry) -> Entry:
    function = call.get("function")
    if isinstance(function, dict):
        members = function
    else:
        members = {}
    return {
        "type": "function.call",
        "tool_call_id": call["id"],
        "name": members.get("name"),
        "arguments": members.get("arguments", "{}"),
    }
