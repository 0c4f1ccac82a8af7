"""Schemas without what a model pays for and nobody reads: titles, null arms and defaults, references, lengths, patterns.

What is trimmed is checked all the same, and refused in a sentence.
"""

from typing import Any, cast

# Data, not schemas: whatever they hold is left alone.
_VALUES = frozenset({"enum", "const", "default", "examples", "required"})


def slim(schema: dict[str, Any], *, keep_null: bool = False) -> dict[str, Any]:
    """A flat copy of a schema made by pydantic. `keep_null` is for results, where null is a value."""
    definitions: dict[str, Any] = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        return _without_null(members(cast("dict[str, Any]", node)), keep_null=keep_null)

    def members(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            node = {**definitions[node["$ref"].removeprefix("#/$defs/")], **node}
        out: dict[str, Any] = {}
        for key, value in node.items():
            if key == "properties":
                out[key] = {name: walk(schema) for name, schema in value.items()}
            elif not _dead_weight(key, inner := value if key in _VALUES else walk(value)):
                out[key] = inner
        return out

    return cast("dict[str, Any]", walk(schema))


def _dead_weight(key: str, value: object) -> bool:
    return (
        key in {"$defs", "$ref", "minLength", "maxLength", "minItems", "maxItems", "pattern"}
        or (key == "title" and isinstance(value, str))
        or (key == "additionalProperties" and value in (True, {}))
        or (key == "default" and value is None)
    )


def _without_null(node: dict[str, Any], *, keep_null: bool) -> dict[str, Any]:
    if keep_null or "anyOf" not in node:
        return node
    arms = [arm for arm in node.pop("anyOf") if arm != {"type": "null"}]
    return {**node, **arms[0]} if len(arms) == 1 else {**node, "anyOf": arms}
