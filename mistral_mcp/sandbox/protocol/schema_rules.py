"""What Mistral's grammar compiler rejects in a caller's JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from mistral_mcp.sandbox.protocol.errors import invalid_request

UNKNOWN_KEYWORDS = frozenset({"$schema", "$id", "$comment"})
NAMED_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
PLAIN_DATA = ("enum", "const", "default", "examples", "required")


def check_schema(schema: Mapping[str, Any], kind: str) -> None:
    """400 for keywords that the grammar compiler does not know, which it names, and for exclusive bounds as in draft 4."""
    found = list(find_keywords(schema))
    unknown = sorted({name for name, _ in found} & UNKNOWN_KEYWORDS)
    if unknown:
        keys = json.dumps(unknown)
        raise invalid_request(
            f"Grammar error: at 3(11): failed to compile JSON schema: Unimplemented keys: {keys}"
        )
    for name, value in found:
        if name in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            raise invalid_request(f"Invalid {kind} schema: {name} must be a number")


def find_keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every keyword of a schema with its value. Names of properties and plain data are not keywords."""
    if isinstance(schema, list):
        for part in cast("list[Any]", schema):
            yield from find_keywords(part)
    if not isinstance(schema, dict):
        return
    for name, value in cast("dict[str, Any]", schema).items():
        yield name, value
        if name in NAMED_SCHEMAS and isinstance(value, dict):
            yield from find_keywords(list(cast("dict[str, Any]", value).values()))
        elif name not in PLAIN_DATA:
            yield from find_keywords(value)
