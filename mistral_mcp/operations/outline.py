"""What an operation takes, short enough for a context: references resolved, nulls left out, cut if too long.

Every cut says how to see the rest: `responses.create#tools` is the member `tools` of the body of `responses.create`.
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any, cast

from mistral_mcp.errors import BadArgument
from mistral_mcp.operations.operation import Operation, Schema, resolve
from mistral_mcp.suggest import nearest

DEPTH = 8  # levels of members at most
ARMS = 12  # alternatives of one value shown at most
VALUES = 40  # of an enumeration

_KEPT = (
    "type",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "format",
    "pattern",
    "default",
)
_NULL: Schema = {"type": "null"}


def outline(schema: Schema, size: int, part: str) -> Schema:
    """The schema in at most `size` characters if possible, as deep as that allows. `part` is its name."""
    shown: Schema = {}
    for depth in range(DEPTH, 0, -1):
        shown = _outline(schema, depth, part)
        if len(json.dumps(shown, separators=(",", ":"))) <= size:
            break
    return shown


def part_of(operation: Operation, path: str) -> Schema:
    """The schema at a path in the body, such as `tools` or `tools.function`. Raises `BadArgument`."""
    schema = operation.body or {}
    for step in path.split(".")[:DEPTH]:
        parts = _parts(schema)
        if step not in parts:
            meant = nearest(step, parts)
            if meant:
                hint = f"Did you mean {meant}?"
            else:
                hint = f"Describe {operation.id} to see its parts."
            raise BadArgument(f"{operation.id} has no such part.", hint)
        schema = parts[step]
    return schema


def alternatives(schema: Schema) -> list[Schema]:
    """The schemas of which a value must match one, without null; the schema itself, if there is no choice."""
    schema = resolve(schema)
    arms: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or []
    if not arms:
        return [_not_null(schema)]
    return [*chain.from_iterable(alternatives(arm) for arm in arms if arm != _NULL)]


def _not_null(schema: Schema) -> Schema:
    named: Any = schema.get("type")
    if not isinstance(named, list):
        return schema
    types = [each for each in cast("list[str]", named) if each != "null"]
    if len(types) == 1:
        return {**schema, "type": types[0]}
    return schema


def tag_of(schema: Schema) -> str | None:
    """The constant that distinguishes an alternative: `function` of `{type: function}`."""
    for name in ("type", "role", "object"):
        member = resolve(schema.get("properties", {}).get(name, {}))
        found = member.get("const", next(iter(member.get("enum", ())), None))
        if isinstance(found, str):
            return found
    return None


def _outline(schema: Schema, depth: int, part: str) -> Schema:
    arms = alternatives(schema)
    if len(arms) == 1:
        return _one({**arms[0], **_own(schema)}, depth, part)
    if depth <= 0:
        return {"description": f"one of {len(arms)}: describe {part}"}
    shown = [_one(arm, depth - 1, f"{part}.{tag_of(arm)}" if tag_of(arm) else part) for arm in arms[:ARMS]]
    different = [arm for at, arm in enumerate(shown) if arm not in shown[:at]]
    if len(different) == 1:
        return different[0]
    return {"anyOf": different}


def _own(schema: Schema) -> Schema:
    """The schema without its alternatives."""
    return {name: schema[name] for name in ("default",) if name in schema}


def _one(schema: Schema, depth: int, part: str) -> Schema:
    out = {name: schema[name] for name in _KEPT if name in schema}
    if "const" in schema:
        out["enum"] = [schema["const"]]
        out.pop("default", None)
    if len(out.get("enum", ())) > VALUES:
        out["enum"] = out["enum"][:VALUES]
        out["description"] = "and others"
    members: dict[str, Schema] = schema.get("properties", {})
    if members and depth <= 0:
        out["description"] = f"members {', '.join(members)}"[:80] + f": describe {part}"
    elif members:
        required = [name for name in schema.get("required", ()) if name in members]
        named = {name: _outline(member, depth - 1, _join(part, name)) for name, member in members.items()}
        out |= {"properties": named, "required": required} if required else {"properties": named}
    if schema.get("type") == "array" or "items" in schema:
        out["type"] = "array"
        out["items"] = _outline(schema.get("items", {}), depth - bool(depth), part)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict) and extra and depth > 0:
        out["additionalProperties"] = _outline(cast("Schema", extra), depth - 1, part)
    return out


def _join(part: str, name: str) -> str:
    return f"{part}.{name}" if "#" in part else f"{part}#{name}"


def _parts(schema: Schema) -> dict[str, Schema]:
    """The parts that a path's step can name: members of each alternative and of a list's items, and alternatives by tag."""
    found: dict[str, Schema] = {}
    for arm in _leaves(schema):
        if (tag := tag_of(arm)) is not None:
            found.setdefault(tag, arm)
        for name, member in arm.get("properties", {}).items():
            found.setdefault(name, member)
    return found


def _leaves(schema: Schema) -> Iterator[Schema]:
    for arm in alternatives(schema):
        items: Any = arm.get("items")
        if isinstance(items, dict):
            yield from _leaves(cast("Schema", items))
        else:
            yield arm
