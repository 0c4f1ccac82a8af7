"""Function calling, shared by tools: sends the caller's functions, and validates the model's calls."""

import json
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.errors import BadArgument
from mistral_mcp.json_schema import CallerSchema, compile_schemas, parse_json
from mistral_mcp.mistral.api.chat import ChatReply, ToolCallReply
from mistral_mcp.mistral.api.messages import wire_call_id
from mistral_mcp.mistral.api.schemas import without_annotations
from mistral_mcp.suggest import nearest


class Function(BaseModel):
    """A function that the caller can run."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None
    strict: bool | None = None


_PUBLISHED = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "parameters": {"type": "object"},
    },
}
MAX_FUNCTIONS = 128
AnyFunction = Annotated[Function, WithJsonSchema(_PUBLISHED)]
ToolChoice = Annotated[
    str | None, Field(description="auto, any, required, none or a function's name.", max_length=128)
]


def function_to_api(function: Function) -> dict[str, JsonValue]:
    """The function as Mistral takes it; `parameters` are required even if there are none."""
    schema = function.parameters or {"type": "object", "properties": {}}
    members = function.model_dump(exclude_none=True)
    return {"type": "function", "function": {**members, "parameters": without_annotations(schema)}}


class FunctionCall(BaseModel):
    """A function call by the model."""

    id: str
    name: str
    arguments: dict[str, JsonValue] | None = Field(description="null where it was no JSON object")
    valid: bool
    errors: list[str] = Field(description="How the arguments break the function's schema.")


@dataclass
class _Known:
    function: Function
    schema: CallerSchema


class Functions:
    """The caller's functions: converts them for Mistral, and validates the model's calls.

    `others`: an agent may have further functions; of their calls only the JSON can be checked.
    """

    def __init__(self, known: list[_Known], *, others: bool = False) -> None:
        self._known = {each.function.name: each for each in known}
        self._others = others

    @classmethod
    async def compile(cls, functions: list[Function], *, others: bool = False) -> "Functions":
        """Compile the functions' schemas. Raises `BadArgument`."""
        names = [function.name for function in functions]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise BadArgument(f"functions[{index}] has the name of an earlier one.", "Give each its own name.")
        by_place = {
            f"functions[{index}].parameters": function.parameters or {"type": "object"}
            for index, function in enumerate(functions)
        }
        schemas = await compile_schemas(by_place)
        return cls(
            [_Known(function, schema) for function, schema in zip(functions, schemas, strict=True)], others=others
        )

    async def check_reply(self, reply: ChatReply) -> list[FunctionCall]:
        """The reply's calls, validated without blocking the event loop."""
        calls = calls_with_ids(reply)
        return [await run_heavy(self.check, call) for call in calls]

    def to_api(self) -> list[dict[str, JsonValue]]:
        return [function_to_api(known.function) for known in self._known.values()]

    def tool_choice(self, choice: str | None) -> str | dict[str, JsonValue] | None:
        if choice in self._known:
            return {"type": "function", "function": {"name": choice}}
        if choice is None or choice in {"auto", "any", "required", "none"}:
            return choice
        meant = nearest(choice, ["auto", "any", "required", "none", *self._known])
        guess = f", did you mean {meant}?" if meant else "."
        raise BadArgument(
            f"tool_choice is not one of the functions{guess}",
            "It is auto, any, required, none or a function's name.",
        )

    def check(self, call: ToolCallReply) -> FunctionCall:
        arguments, errors = _arguments(call.function.arguments)
        known = self._known.get(call.function.name)
        if known is None and not self._others:
            meant = nearest(call.function.name, self._known)
            guess = f", {meant} is near" if meant else ""
            errors = [f"there is no function of this name{guess}"]
        elif known is not None and not errors:
            errors = known.schema.errors(arguments)
        return FunctionCall(
            id=call.id, name=call.function.name, arguments=arguments, valid=not errors, errors=errors
        )


def _arguments(arguments: str | dict[str, JsonValue]) -> tuple[dict[str, JsonValue] | None, list[str]]:
    """The arguments, which are a JSON string or an object; and what is wrong, if they are neither."""
    if isinstance(arguments, dict):
        return arguments, []
    try:
        value = parse_json(arguments or "{}")
    except ValueError:
        return None, ["the arguments are not JSON"]
    if isinstance(value, dict):
        return (value, [])
    return (None, ["the arguments are not a JSON object"])


def assistant_message(reply: ChatReply) -> dict[str, JsonValue]:
    """The reply as an assistant message, with its thinking chunks."""
    message: dict[str, JsonValue] = {"role": "assistant", "content": reply.content or ""}
    if calls := calls_with_ids(reply):
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
                "index": call.index,
            }
            for call in calls
        ]
    return message


def calls_with_ids(reply: ChatReply) -> list[ToolCallReply]:
    """The reply's calls, each with a unique id that Mistral accepts in a next request: not all of its own ids are."""
    calls: list[ToolCallReply] = []
    known: set[str] = set()
    for index, call in enumerate(reply.tool_calls):
        call_id = wire_call_id(call.id)
        if not call.has_id or call_id in known:
            call_id = wire_call_id(f"{index}{call.function}")
        known.add(call_id)
        calls.append(call.model_copy(update={"id": call_id}))
    return calls


def calls_text(calls: list[FunctionCall], text: str) -> str:
    """Calls, and the text that comes with them, as text."""
    lines = [_call_line(call) for call in calls]
    return "\n".join([*lines, text] if text or not lines else lines)


def _call_line(call: FunctionCall) -> str:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    if call.valid:
        problems = ""
    else:
        problems = f"  INVALID: {'; '.join(call.errors)}"
    return f"{call.name}({arguments}){problems}"
