"""Slims the published schemas: removes what costs tokens without a use, and keywords that some vendors refuse.

Constraints left out of a schema are still validated, and explained in a sentence.
"""

from typing import Any, cast

# The keywords of input schemas that every vendor's function calling accepts.
KEYWORDS = frozenset(
    {"type", "description", "properties", "required", "items", "enum", "minimum", "maximum", "default"}
)

MAX_INTEGER = 2**53 - 1
"""Beyond it, JSON parsers differ."""

# Data, not schemas: left unchanged.
_VALUES = frozenset({"enum", "const", "default", "examples", "required"})


def slim_parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """An input schema that every vendor accepts: of several alternatives the first with a type."""
    slimmed = _parameters(schema, schema.get("$defs", {}))
    return {"type": "object", "properties": {}, **slimmed}


def _parameters(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    node = _resolve(schema, definitions)
    if arms := node.pop("anyOf", None):
        typed = [_resolve(arm, definitions) for arm in arms]
        node = {**next(arm for arm in typed if arm.get("type", "null") != "null"), **node}
    # Published as an inclusive bound; the bound itself is still refused by validation.
    for ours, theirs in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if theirs in node:
            node.setdefault(ours, node[theirs])
    if "maximum" in node and f"{node['maximum']:g}" in node.get("description", ""):
        del node["maximum"]  # the default says it in fewer tokens
    if "const" in node:
        node["enum"] = [node["const"]]
    if "properties" in node:
        node["properties"] = {
            name: _parameters(member, definitions) for name, member in node["properties"].items()
        }
    if "items" in node:
        node["items"] = _parameters(node["items"], definitions)
    return {key: value for key, value in node.items() if key in KEYWORDS and not _goes_without_saying(key, value)}


def _goes_without_saying(key: str, value: object) -> bool:
    """Whether a model can do without it: a default of null, a minimum below 1, a maximum beyond JSON's integers."""
    return (key, value) in [("default", None), ("minimum", 0), ("minimum", 1), ("maximum", MAX_INTEGER)]


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return dict(schema)
    return {**definitions[schema["$ref"].removeprefix("#/$defs/")], **schema}


def slim(schema: dict[str, Any]) -> dict[str, Any]:
    """An output schema without titles, references and bounds; null stays if it is a possible value."""
    definitions: dict[str, Any] = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in cast("list[Any]", node)]
        if isinstance(node, dict):
            return members(cast("dict[str, Any]", node))
        return node

    def members(node: dict[str, Any]) -> dict[str, Any]:
        node = _resolve(node, definitions)
        out: dict[str, Any] = {}
        for key, value in node.items():
            if key == "properties":
                out[key] = {name: walk(schema) for name, schema in value.items()}
            elif not _is_dead_weight(key, inner := value if key in _VALUES else walk(value), node):
                out[key] = inner
        return out

    return cast("dict[str, Any]", walk(schema))


def merge_alternatives(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """One flat schema for results of several shapes, since not every client takes alternatives at the root."""
    merged: dict[str, Any] = {**schemas[0], "properties": {}}
    for schema in reversed(schemas):
        merged["properties"] |= schema["properties"]
    required: list[str] = schemas[0].get("required", [])
    merged["required"] = [name for name in required if all(name in other["required"] for other in schemas[1:])]
    return merged


def _is_dead_weight(key: str, value: object, node: dict[str, Any]) -> bool:
    if key in {"minItems", "maxItems"}:
        return "prefixItems" not in node  # strict validators require its length
    return (
        key in {"$defs", "$ref", "minLength", "maxLength", "pattern"}
        or (key == "title" and isinstance(value, str))
        or (key == "additionalProperties" and value in (True, {}))
        or (key == "default" and value is None)
    )
