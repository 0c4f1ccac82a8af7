"""What other APIs wrap around an argument: OpenAI's and Mistral's own forms, as models know them.

A wrapper is known by its members, so that nothing is unwrapped that was meant as it stands.
"""

from collections.abc import Callable
from typing import Any, cast

Object = dict[str, Any]


def unwrap(arguments: Object) -> Object:
    """The arguments without such wrappers. What is in no known form stays as it is."""
    response_format = arguments.get("response_format")
    if isinstance(response_format, dict):
        arguments = _response_format(arguments, cast("Object", response_format))
    return {
        name: _UNWRAPPERS[name](value) if name in _UNWRAPPERS and not isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _response_format(arguments: Object, value: Object) -> Object:
    """`{type: json_object}` is its type's name; `{type: json_schema, …}` is what `json_schema` is for."""
    if value.get("type") == "json_schema":
        rest = {name: given for name, given in arguments.items() if name != "response_format"}
        if "json_schema" not in rest:
            return {"json_schema": value, **rest}
        return rest
    if len(value) == 1:
        return {**arguments, "response_format": value.get("type")}
    return arguments


def _json_schema(value: Any) -> Any:
    """`{name, schema, strict?}` and `{type: json_schema, json_schema: {…}}`."""
    if not isinstance(value, dict):
        return value
    wrapper = cast("Object", value)
    if wrapper.get("type") == "json_schema" and isinstance(wrapper.get("json_schema"), dict):
        return _json_schema(wrapper["json_schema"])
    if isinstance(wrapper.get("schema"), dict) and wrapper.keys() <= {"name", "description", "schema", "strict"}:
        return wrapper["schema"]
    return wrapper


def unwrap_function(value: Any) -> Any:
    """`{type: function, function: {…}}`, and the flat form of OpenAI's newer API."""
    if not isinstance(value, dict):
        return value
    wrapper = cast("Object", value)
    if wrapper.get("type", "function") != "function":
        return wrapper
    if isinstance(wrapper.get("function"), dict):
        return wrapper["function"]
    return {name: member for name, member in wrapper.items() if name != "type"}


def _tool_choice(value: Any) -> Any:
    """`{type: function, function: {name}}`, `{type: function, name}` and `{type: auto}`."""
    if not isinstance(value, dict):
        return value
    choice = cast("Object", value)
    if choice.get("type", "function") != "function":
        return choice["type"]
    inner = choice.get("function", choice)
    if isinstance(inner, dict):
        return cast("Object", inner).get("name", choice)
    return choice


def _message(value: Any) -> Any:
    """OpenAI's role `developer` is what `system` is here."""
    if not isinstance(value, dict):
        return value
    message = cast("Object", value)
    if message.get("role") == "developer":
        return {**message, "role": "system"}
    return message


def _each(unwrap_one: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def unwrap_all(value: Any) -> Any:
        if isinstance(value, list):
            return [unwrap_one(item) for item in cast("list[Any]", value)]
        return unwrap_one(value)

    return unwrap_all


_UNWRAPPERS: dict[str, Callable[[Any], Any]] = {
    "json_schema": _json_schema,
    "functions": _each(unwrap_function),
    "tool_choice": _tool_choice,
    "messages": _each(_message),
}
