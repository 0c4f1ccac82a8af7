"""Callers' JSON schemas as they go to Mistral."""

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

# For readers of a schema; where Mistral's grammar compiler does not know them, it refuses the whole.
_ANNOTATIONS = frozenset({"$schema", "$id", "$comment"})
# Their members are named by the caller.
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
# Data, not schemas.
_VALUES = frozenset({"enum", "const", "default", "examples", "required"})


def without_annotations(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The schema without what only readers need, at any depth. References to its own `$id` become local."""
    root_id = schema.get("$id")
    return _Cleaner(root_id if isinstance(root_id, str) else "").object(schema)


class _Cleaner:
    def __init__(self, root_id: str) -> None:
        self._root_id = root_id.removesuffix("#")

    def object(self, schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        return {key: self._member(key, value) for key, value in schema.items() if key not in _ANNOTATIONS}

    def _member(self, key: str, value: JsonValue) -> JsonValue:
        if key in _VALUES:
            return value
        if key == "$ref" and isinstance(value, str):
            return self._reference(value)
        if key in _MAPS and isinstance(value, dict):
            return {name: self._value(inner) for name, inner in value.items()}
        return self._value(value)

    def _value(self, value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return cast("JsonValue", self.object(value))
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        return value

    def _reference(self, reference: str) -> str:
        if not self._root_id or not reference.startswith(self._root_id):
            return reference
        fragment = reference.removeprefix(self._root_id) or "#"
        return fragment if fragment.startswith("#") else reference
