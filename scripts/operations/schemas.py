"""Convert schemas from both sources to one plain form: structure and bounds, without descriptions."""

from collections.abc import Callable, Iterator
from typing import Any, cast

_WORDS = {
    "title",
    "description",
    "examples",
    "example",
    "deprecated",
    "summary",
    "externalDocs",
    "xml",
    "readOnly",
    "writeOnly",
}
_UNSET = "~?~unset~?~sentinel~?~"
_DATA = {"enum", "const", "default", "required"}

_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}

Rename = Callable[[str], str]


def plain(node: Any, rename: Rename) -> Any:
    """A copy without descriptions and with renamed references."""
    if isinstance(node, list):
        return [plain(item, rename) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    kept = [key for key in schema if key not in _WORDS and not key.startswith("x-")]
    out: dict[str, Any] = {key: _keyword(key, schema[key], rename) for key in kept}
    if out.get("properties") and isinstance(out.get("required"), list):
        # A required name without a property is an error in the source.
        out["required"] = [name for name in out["required"] if name in out["properties"]]
    for bound in _BOUNDS & out.keys():
        if isinstance(out[bound], str):  # 1e+09 is text in YAML
            out[bound] = float(out[bound])
    if out.get("default", "") in (None, _UNSET):
        del out["default"]
    return _flat(out)


def _keyword(key: str, value: Any, rename: Rename) -> Any:
    match key:
        case "properties" | "patternProperties":
            return {name: _member(schema, rename) for name, schema in value.items()}
        case "$ref":
            return f"#/$defs/{rename(value.rpartition('/')[2])}"
        case "discriminator":
            return {"propertyName": value["propertyName"]}
        case _:
            return value if key in _DATA else plain(value, rename)


def _member(schema: Any, rename: Rename) -> Any:
    """An optional member: in the SDK's models both None and Unset mean that."""
    optional = isinstance(schema, dict) and "default" in schema and schema["default"] is None
    made = plain(schema, rename)
    if optional and "anyOf" in made:
        arms = [arm for arm in made["anyOf"] if arm != {"type": "null"}]
        made = _flat({**made, "anyOf": arms})
    return made


def _flat(node: dict[str, Any]) -> dict[str, Any]:
    """Unions with one alternative become it, open enumerations their names; Unset and the SDK's fallback types are dropped."""
    for key in ("anyOf", "oneOf", "allOf"):
        if key not in node:
            continue
        arms = [arm for arm in node[key] if not _is_own(arm)]
        nested: list[dict[str, Any]] = []
        for arm in arms:
            if key == "anyOf" and arm.keys() == {"anyOf"}:
                nested += arm["anyOf"]
            else:
                nested.append(arm)
        if any("enum" in arm for arm in nested) and {"type": "string"} in nested:
            nested = [arm for arm in nested if arm != {"type": "string"}]
        nested = [arm for at, arm in enumerate(nested) if arm not in nested[:at]]
        if key == "anyOf" and len(nested) == 2 and {"type": "null"} in nested:  # noqa: PLR2004 - one, and null
            nested = _or_null(nested)
        if len(nested) == 1:
            rest = {name: value for name, value in node.items() if name not in (key, "discriminator")}
            return {**nested[0], **rest}
        node = {**node, key: nested}
    return node


def _or_null(arms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`type: [string, null]` for a plain nullable type: not a union, and with clearer error messages."""
    arm = next(arm for arm in arms if arm != {"type": "null"})
    if not isinstance(arm.get("type"), str) or "enum" in arm or "const" in arm:
        return arms
    return [{**arm, "type": [arm["type"], "null"]}]


def _is_own(arm: dict[str, Any]) -> bool:
    name = arm.get("$ref", "").rpartition("/")[2].removeprefix("sdk.")
    return name == "Unset" or name.startswith("Unknown")


def references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to directly."""
    if isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        if "$ref" in schema and isinstance(schema["$ref"], str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in cast("list[Any]", node):
            yield from references(value)


def inline(node: Any, definitions: dict[str, Any], wanted: Callable[[str], bool]) -> Any:
    """A copy with the `wanted` references replaced by their definitions."""
    if isinstance(node, list):
        return [inline(item, definitions, wanted) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    if "$ref" in schema and wanted(name := schema["$ref"].rpartition("/")[2]):
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**inline(definitions[name], definitions, wanted), **rest}
    return {key: inline(value, definitions, wanted) for key, value in schema.items()}


def closure(roots: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that the roots refer to, directly or not, by name."""
    pending, found = list(references(roots)), set[str]()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += references(definitions[name])
    return {name: definitions[name] for name in sorted(found)}


def as_object(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema as one object: references followed, parts merged, "or null" removed."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "allOf" in schema:
        parts = [as_object(part, definitions) for part in schema["allOf"]]
        members: dict[str, Any] = {}
        required: dict[str, None] = {}  # a set in order
        for part in parts:
            members |= part.get("properties", {})
            required |= dict.fromkeys(part.get("required", []))
        merged: dict[str, Any] = {"type": "object", "properties": members, "required": list(required)}
        if any(part.get("additionalProperties") is False for part in parts):
            merged["additionalProperties"] = False
        return merged
    if "anyOf" in schema and {"type": "null"} in schema["anyOf"]:
        arms = [arm for arm in schema["anyOf"] if arm != {"type": "null"}]
        return as_object(arms[0], definitions) if len(arms) == 1 else {"anyOf": arms}
    return schema


def require_tags(definitions: dict[str, Any], roots: Any) -> None:
    """Make the discriminator of a union a required member of each alternative."""
    for union in _unions([definitions, roots]):
        tag = union["discriminator"]["propertyName"]
        for arm in union.get("oneOf", union.get("anyOf", [])):
            target = definitions.get(arm.get("$ref", "").rpartition("/")[2], {})
            if tag in target.get("properties", {}) and tag not in target.get("required", ()):
                target["required"] = [*target.get("required", ()), tag]


def _unions(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        if isinstance(schema.get("discriminator"), dict) and ("oneOf" in schema or "anyOf" in schema):
            yield schema
        node = list(schema.values())
    if isinstance(node, list):
        for value in cast("list[Any]", node):
            yield from _unions(value)


def with_open_names(node: Any, definitions: dict[str, Any]) -> Any:
    """A copy in which enumerations accept any string: replies may have values that are newer than this file."""
    if isinstance(node, list):
        return [with_open_names(item, definitions) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    target = definitions.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    if isinstance(target.get("enum"), list) and len(target["enum"]) > 1:
        return {"anyOf": [target, {"type": "string"}]}
    return {name: with_open_names(value, definitions) for name, value in schema.items()}
