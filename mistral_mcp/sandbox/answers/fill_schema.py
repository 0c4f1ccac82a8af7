"""A value that satisfies a JSON Schema, filled with words and numbers from the prompt.

Supported keywords: types, enum, const, bounds, lengths, items, properties, local `$ref`, anyOf, oneOf, allOf, format. A
`pattern` is satisfied only if a word of the prompt or one of the candidates matches it; `not` and `if` are ignored.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from jsonschema_rs import RegexOptions, ValidationError, is_valid

from mistral_mcp.sandbox.answers.fit_number import fit_number
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol.errors import invalid_args

Schema = Mapping[str, Any]

MAX_DEPTH = 24
"""Below this depth, values are null: a schema may require itself."""
FULL_OBJECT_DEPTH = 2
"""Objects without `required` get all of their properties down to this depth."""

FORMATS = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "PT1H",
    "email": "person@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "7b1f6f6e-6f0c-4c53-9f0e-1d3f5f0d2a11",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}
WHOLE_PROMPT = frozenset({"text", "query", "question", "prompt", "message", "input", "content", "body"})
NUMERIC_FIELD = re.compile(r"latitude|longitude|number|amount|price|e\.g\.,? *-?\d", re.IGNORECASE)
PATTERN_CANDIDATES = (
    "A",
    "a",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "AB",
    "ABC",
    "abc",
    "EUR",
    "a-1",
    "A1",
    "2026",
    "b7ad6b7169203331",
    "0af7651916cd43dd8448eb211c80319c",
)
COMPOSITION_KEYWORDS = ("$ref", "anyOf", "oneOf", "allOf")


def fill_schema(schema: Any, hints: Hints) -> Any:
    """A value that satisfies the schema. 400 if a `$ref` cannot be resolved or a type is unknown."""
    return _SchemaFiller(schema, hints).value(schema, "", 0)


class _SchemaFiller:
    """One traversal of a schema; references are resolved from its root."""

    def __init__(self, root: Any, hints: Hints) -> None:
        self._root = root
        self._hints = hints

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            if schema is True:
                return "sandbox"
            return None

        resolved = self._resolve(schema)
        if "const" in resolved:
            return resolved["const"]
        if "enum" in resolved:
            return self._choices(resolved)[0]

        makers: dict[str, Callable[[], Any]] = {
            "object": functools.partial(self._object, resolved, depth),
            "array": functools.partial(self._array, resolved, name, depth),
            "string": functools.partial(self._string, resolved, name),
            "integer": functools.partial(fit_number, resolved, self._hints.number, whole=True),
            "number": functools.partial(fit_number, resolved, self._hints.number, whole=False),
            "boolean": lambda: True,
            "null": lambda: None,
        }

        kind = _type(resolved)
        if kind not in makers:
            raise invalid_args(f"Invalid schema: unknown type {kind}")
        return makers[kind]()

    def _resolve(self, schema: Any) -> Schema:
        """The schema merged with its `$ref`, the first branch of its `anyOf` and `oneOf`, and all of its `allOf`."""
        if not isinstance(schema, dict):
            return {}
        flat = cast("dict[str, Any]", schema)
        for _ in range(MAX_DEPTH):
            over: list[Any] = []
            if "$ref" in flat:
                over = [self._look_up(flat["$ref"])]
            over += [flat[key][0] for key in ("anyOf", "oneOf") if flat.get(key)]
            over += flat.get("allOf", [])
            if not over:
                break
            flat = functools.reduce(
                _merge, over, {key: flat[key] for key in flat if key not in COMPOSITION_KEYWORDS}
            )
        return flat

    def _look_up(self, reference: str) -> Any:
        found: Any = self._root
        try:
            for step in reference.removeprefix("#").split("/")[1:]:
                found = found[step.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise invalid_args(f"Invalid schema: cannot resolve {reference}") from None
        return found

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        """All required properties, and optional ones with a value that the prompt mentions or that `minProperties` needs."""
        properties = cast("dict[str, Any]", schema.get("properties", {}))
        required = cast("list[str]", schema.get("required", []))
        optional = [key for key in properties if key not in required]
        least = cast("int", schema.get("minProperties", 0))

        wanted = [key for key in optional if any(map(self._hints.mentions, self._choices(properties[key])))]
        if "required" not in schema and depth < FULL_OBJECT_DEPTH:
            wanted = optional
        others = [key for key in optional if key not in wanted]
        wanted += others[: max(least - len(required) - len(wanted), 0)]

        keys = [key for key in properties if key in required or key in wanted]
        keys += [key for key in required if key not in properties]
        filled = {key: self.value(properties.get(key, True), key, depth + 1) for key in keys}

        more = schema.get("additionalProperties", True)
        while more is not False and len(filled) < least:
            filled[f"key{len(filled) + 1}"] = self.value(more, "", depth + 1)
        return filled

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        items = [self.value(part, name, depth + 1) for part in cast("list[Any]", schema.get("prefixItems", []))]
        each = schema.get("items", True)
        usual = min(1, schema.get("maxItems", 1))
        if depth > FULL_OBJECT_DEPTH:
            usual = 0

        choices = self._choices(each)
        while each is not False and len(items) < schema.get("minItems", usual):
            if choices:
                item = choices.pop(0)
            else:
                item = self.value(each, name, depth + 1)
            if schema.get("uniqueItems") and item in items:
                item = _make_unique(item, len(items))
            items.append(item)
        return items

    def _choices(self, schema: Any) -> list[Any]:
        """The values of an enum, those the prompt mentions first."""
        values = cast("list[Any]", self._resolve(schema).get("enum", []))
        return sorted(values, key=lambda value: not self._hints.mentions(value))

    def _string(self, schema: Schema, name: str) -> str:
        kind = schema.get("format")
        if kind == "url":
            kind = "uri"
        if kind in FORMATS:
            return self._hints.find_format(kind) or FORMATS[kind]

        text = self._phrase(schema, name)
        pattern = cast("str", schema.get("pattern", ""))
        if not _matches(pattern, text):
            words = re.findall(r"[\w+-]+", self._hints.text)
            text = next((word for word in (*words, *PATTERN_CANDIDATES) if _matches(pattern, word)), text)
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]

    def _phrase(self, schema: Schema, name: str) -> str:
        if name.lower() in WHOLE_PROMPT and self._hints.text:
            return self._hints.text
        figure = NUMERIC_FIELD.search(f"{name} {schema.get('description', '')}") and self._hints.number()
        samples = [*schema.get("examples", []), schema.get("default"), f"sample {name}".strip()]
        return figure or self._hints.phrase() or next(sample for sample in samples if isinstance(sample, str))


def _type(schema: Schema) -> str:
    declared: Any = schema.get("type")
    if isinstance(declared, list):
        return cast("list[str]", declared)[0]
    if declared is not None:
        return str(declared)
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"


def _merge(one: dict[str, Any], other: Any) -> dict[str, Any]:
    """Both schemas in one: properties and required names combined; for other keywords `other` wins."""
    if not isinstance(other, dict):
        return one
    both = {**one, **cast("dict[str, Any]", other)}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    return both


def _matches(pattern: str, text: str) -> bool:
    """In linear time, because callers send the patterns. Patterns that the linear engine does not support match everything."""
    try:
        return is_valid({"pattern": pattern}, text, pattern_options=RegexOptions())
    except ValidationError:
        return True


def _make_unique(item: Any, number: int) -> Any:
    if isinstance(item, str):
        return f"{item} {number + 1}"
    if isinstance(item, int) and not isinstance(item, bool):
        return item + number
    return item
