"""Unwraps arguments in the form of other APIs, OpenAI's and Mistral's, which models know.

A wrapper is recognised by its members, so that no other value is unwrapped.
"""

from collections.abc import Callable
from typing import Any

from mistral_mcp.tools.framework.arguments.kinds import Object, is_list, is_object


def unwrap(arguments: Object) -> Object:
    """The arguments without such wrappers. Values in an unknown form are unchanged."""
    response_format = arguments.get("response_format")
    if is_object(response_format):
        arguments = _response_format(arguments, response_format)
    return {name: _unwrap_argument(name, value) for name, value in arguments.items()}


def _unwrap_argument(name: str, value: Any) -> Any:
    """One argument without its wrapper; of a list, each item without its own."""
    unwrap_one = _UNWRAPPERS.get(name)
    if unwrap_one is None:
        return value
    if is_list(value):
        return [unwrap_one(item) for item in value]
    return unwrap_one(value)


def _response_format(arguments: Object, value: Object) -> Object:
    """`{type: json_object}` becomes its type's name; `{type: json_schema, …}` goes to `json_schema`."""
    if value.get("type") == "json_schema":
        rest = {name: given for name, given in arguments.items() if name != "response_format"}
        return {"json_schema": value, **rest}
    if value.keys() == {"type"}:
        return {**arguments, "response_format": value["type"]}
    return arguments


def _json_schema(value: Any) -> Any:
    """`{name, schema, strict?}` and `{type: json_schema, json_schema: {…}}`."""
    if not is_object(value):
        return value
    if value.get("type") == "json_schema" and is_object(value.get("json_schema")):
        return _json_schema(value["json_schema"])
    if is_object(value.get("schema")) and value.keys() <= {"name", "description", "schema", "strict"}:
        return value["schema"]
    return value


def unwrap_function(value: Any) -> Any:
    """`{type: function, function: {…}}`, and the flat form of OpenAI's newer API."""
    if not is_object(value) or value.get("type", "function") != "function":
        return value
    if is_object(value.get("function")):
        return value["function"]
    return {name: member for name, member in value.items() if name != "type"}


def _tool_choice(value: Any) -> Any:
    """`{type: function, function: {name}}`, `{type: function, name}` and `{type: auto}`."""
    if not is_object(value):
        return value
    if value.get("type", "function") != "function":
        return value["type"]
    inner = value.get("function", value)
    if is_object(inner):
        return inner.get("name", value)
    return value


_UNWRAPPERS: dict[str, Callable[[Any], Any]] = {
    "json_schema": _json_schema,
    "functions": unwrap_function,
    "tool_choice": _tool_choice,
}
