"""Validates the arguments of an operation before anything is sent: names first, then by the operation's schemas."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from pydantic import JsonValue

from mistral_mcp.errors import BadArgument
from mistral_mcp.json_schema import CallerSchema
from mistral_mcp.operations.operation import Operation, Schema, resolve, with_definitions
from mistral_mcp.operations.outline import alternatives, tag_of
from mistral_mcp.suggest import nearest

PROBLEMS = 4  # named at most
DEPTH = 20  # levels looked through for unknown names
NAME = 64  # characters of a caller's name that may be quoted

Given = dict[str, JsonValue]


@dataclass(frozen=True)
class Request:
    """The validated request."""

    path: dict[str, str]
    query: Given
    body: JsonValue
    """None: no body."""


def check(operation: Operation, parameters: Given | None, body: Given | None) -> Request:
    """The request. Raises `BadArgument`, with at most four problems and no values."""
    parameters = _without_nulls(parameters or {})
    body = _without_stream(operation, body)
    if body is None and operation.body_required:
        body = {}  # clients often send it for "none"
    problems = [*_parameter_problems(operation, parameters), *_body_problems(operation, body)]
    if problems:
        hint = f"mistral_api_describe {operation.id} shows what it takes."
        raise BadArgument(f"{'; '.join(problems[:PROBLEMS])}.", hint)
    places = {each.name: each.place for each in operation.parameters}
    path = {name: _as_text(value) for name, value in parameters.items() if places[name] == "path"}
    query = {name: value for name, value in parameters.items() if places[name] == "query"}
    return Request(path, query, body if body or operation.body_required else None)


def _without_nulls(parameters: Given) -> Given:
    """Null means "not given"."""
    return {name: value for name, value in parameters.items() if value is not None}


def _without_stream(operation: Operation, body: Given | None) -> Given | None:
    """Remove `stream`: we do not stream these replies."""
    if body is None or "stream" not in body or "stream" not in operation.members:
        return body
    if body["stream"]:
        raise BadArgument("Streaming is not supported here.", "Leave out stream: the answer arrives whole.")
    return {name: value for name, value in body.items() if name != "stream"}


def _parameter_problems(operation: Operation, given: Given) -> Iterator[str]:
    known = {each.name: each for each in operation.parameters}
    for name in [name for name in given if name not in known][:PROBLEMS]:
        yield _unknown(name, "parameter", known, elsewhere="body" if name in operation.members else "")
    for each in operation.parameters:
        if each.required and each.name not in given:
            yield f"the parameter {each.name} is missing"
    fitting = {name: _convert(known[name].schema, value) for name, value in given.items() if name in known}
    given.update(fitting)
    for problem in _parameter_schema(operation).errors(fitting, limit=PROBLEMS):
        yield _place(problem, "parameters")


def _body_problems(operation: Operation, body: Given | None) -> Iterator[str]:
    if operation.body is None:
        if body:
            yield "this operation takes no body"
        return
    if body is None:
        return
    names = {each.name for each in operation.parameters}
    unknown = list(islice(_unknown_members(operation.body, body, names), PROBLEMS))
    yield from unknown
    if not unknown:
        for problem in _body_schema(operation).errors(body, limit=PROBLEMS):
            yield _place(problem, "body")


@lru_cache(maxsize=64)
def _parameter_schema(operation: Operation) -> CallerSchema:
    members: Given = {each.name: cast("JsonValue", each.schema) for each in operation.parameters}
    return CallerSchema(with_definitions({"type": "object", "properties": members}), where="parameters")


@lru_cache(maxsize=64)
def _body_schema(operation: Operation) -> CallerSchema:
    schema: Schema = operation.body or {}
    if operation.is_form:  # a file may be given in several ways, which the upload checks
        whole = resolve(schema)
        members = {name: each for name, each in whole["properties"].items() if not is_file(each)}
        schema = {"type": "object", "properties": members, "required": whole.get("required", [])}
    return CallerSchema(with_definitions(schema), where="body")


def is_file(schema: Schema) -> bool:
    """Whether a member of a form is a file."""
    return any(arm.get("format") == "binary" for arm in alternatives(schema))


def _convert(schema: Schema, value: JsonValue) -> JsonValue:
    """Convert numbers and booleans sent as text, and wrap a single value where a list is expected."""
    types = {str(arm.get("type")) for arm in alternatives(schema)}
    if isinstance(value, str) and "string" not in types:
        if types & {"integer", "number"} and re.fullmatch(r"-?\d{1,15}", value):
            return int(value)
        if "boolean" in types and value.lower() in ("true", "false"):
            return value.lower() == "true"
    if types == {"array"} and not isinstance(value, list):
        return [value]
    return value


def _unknown_members(
    schema: Schema, value: JsonValue, parameters: set[str], where: str = "body", depth: int = 0
) -> Iterator[str]:
    if depth > DEPTH:
        return
    if (problem := _wrong_tag(schema, value, where)) is not None:
        yield problem
    schema = _suggest(schema, value)
    members: dict[str, Schema] = schema.get("properties", {})
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, item in enumerate(value):
            yield from _unknown_members(schema["items"], item, set(), f"{where}[{number}]", depth + 1)
    elif isinstance(value, dict) and members:
        is_open = schema.get("additionalProperties") not in (None, False) or "patternProperties" in schema
        for name, item in value.items():
            if name in members:
                yield from _unknown_members(members[name], item, set(), f"{where}.{name}", depth + 1)
            elif not is_open:
                yield _unknown(
                    name, f"member of {where}", members, elsewhere="parameters" if name in parameters else ""
                )


def _suggest(schema: Schema, value: JsonValue) -> Schema:
    """The alternative that the value is of, if that is clear; else an empty schema."""
    arms = [arm for arm in alternatives(schema) if _is_kind(arm, value)]
    if len(arms) > 1 and isinstance(value, dict):
        arms = [arm for arm in arms if tag_of(arm) is not None and tag_of(arm) in value.values()]
    if len(arms) == 1:
        return arms[0]
    return {}


def _wrong_tag(schema: Schema, value: JsonValue, where: str) -> str | None:
    """The problem of an object whose `type` or `role` matches no alternative."""
    if not isinstance(value, dict):
        return None
    tags = [tag for arm in alternatives(schema) if (tag := tag_of(arm)) is not None]
    name = next((name for name in ("type", "role") if isinstance(value.get(name), str)), "")
    if not name or len(tags) < 2 or value[name] in tags:  # noqa: PLR2004 - a choice
        return None
    meant = nearest(str(value[name])[:NAME], tags)
    if meant:
        hint = f"did you mean {meant!r}?"
    else:
        hint = f"known are {', '.join(tags)}"
    return f"{where}.{name}: unknown {name}, {hint}"


def _is_kind(schema: Schema, value: JsonValue) -> bool:
    match value:
        case dict():
            return "properties" in schema or schema.get("type") == "object"
        case list():
            return "items" in schema
        case _:
            return False


def _unknown(name: str, kind: str, known: dict[str, Any], *, elsewhere: str) -> str:
    if elsewhere:
        return f"{name!r} belongs in {elsewhere}"
    if len(name) > NAME:  # not cut: a part of a secret would not be masked
        return f"unknown {kind}, of {len(name):,} characters"
    meant = nearest(name, known)
    if meant:
        hint = f", did you mean {meant!r}?"
    else:
        hint = ""
    return f"unknown {kind}: {name!r}{hint}"


def _place(problem: str, where: str) -> str:
    return problem.replace("$", where, 1)


def _as_text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
