"""An example call of an operation: its required arguments, with valid values."""

import re
from typing import Any, cast

from mistral_mcp.operations.operation import Operation, Schema
from mistral_mcp.operations.outline import alternatives, tag_of

DEPTH = 12

UUID = "123e4567-e89b-42d3-a456-426614174000"

_BY_FORMAT = {
    "uuid": UUID,
    "date-time": "2026-12-01T09:00:00Z",
    "date": "2026-12-01",
    "uri": "https://example.com/document",
    "duration": "PT1H",
    "email": "ada@example.com",
    "byte": "UklGRg==",
    "binary": "data:text/plain;base64,SGVsbG8=",
}

# By operation, where only some models will do.
_MODELS = {
    "audio.speech": "voxtral-mini-tts-latest",
    "audio.transcriptions": "voxtral-mini-latest",
    "embeddings": "mistral-embed",
    "fim": "codestral-latest",
    "moderations": "mistral-moderation-latest",
    "ocr": "mistral-ocr-latest",
}

_BY_NAME = {
    "name": "example",
    "title": "Example",
    "alias": "production",
    "language": "en",
    "filename": "notes.txt",
    "prompt": "def add(a, b):",
    "query": "opening hours",
    "pattern": "hello",
    "url": "https://example.com/document.pdf",
    "image_url": "https://example.com/image.png",
    "document_url": "https://example.com/document.pdf",
    "instructions": "Answer in one sentence.",
    "description": "An example.",
    "content": "Hello",
    "text": "Hello",
    "input": "Hello",
    "inputs": "Hello",
    "role": "user",
    "purpose": "ocr",
    "sample_audio": "UklGRjQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YRAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "voice_id": "en_paul_neutral",
    "from": "2026-11-01T00:00:00Z",
    "to": "2026-12-01T00:00:00Z",
}


def example(operation: Operation) -> dict[str, Any]:
    """`{operation, parameters?, body?}`, as the tools take it."""
    call: dict[str, Any] = {"operation": operation.id}
    parameters = {
        each.name: _value(each.schema, each.name, operation, 0) for each in operation.parameters if each.required
    }
    if parameters:
        call["parameters"] = parameters
    if operation.body is not None:
        body: dict[str, Any] = _value(operation.body, "", operation, 0)
        body |= {name: _value(operation.members[name], name, operation, 0) for name in operation.shows}
        if not body and operation.members:
            body = _smallest_change(operation)
        if body or operation.body_required:
            call["body"] = body
    return call


def _smallest_change(operation: Operation) -> dict[str, Any]:
    """One member of a body without required ones, preferably a plain one."""
    plain = [name for name, schema in operation.members.items() if _is_plain(schema)]
    name = next(iter(plain or operation.members))
    return {name: _value(operation.members[name], name, operation, 0)}


def _is_plain(schema: Schema) -> bool:
    return any(arm.get("type") in ("string", "integer", "boolean") for arm in alternatives(schema))


def _value(schema: Schema, name: str, operation: Operation, depth: int) -> Any:
    if name in ("model", "model_name"):
        return _model(operation)
    arms = alternatives(schema)
    if arms:
        chosen = _simplest(arms)
    else:
        chosen = {"const": None}
    found = _known_value(chosen, name)
    if found is _NOTHING:
        return _make(chosen, name, operation, depth)
    return found


_NOTHING = object()


def _known_value(schema: Schema, name: str) -> Any:
    """The value that the schema itself gives: constant, default or first of an enumeration."""
    for known in ("const", "default"):
        if known in schema and (known == "const" or schema[known] is not None):
            return schema[known]
    values: list[Any] = schema.get("enum", [])
    if _BY_NAME.get(name) in values:
        return _BY_NAME[name]
    if values:
        return values[0]
    return _NOTHING


def _make(schema: Schema, name: str, operation: Operation, depth: int) -> Any:
    match _type(schema):
        case "object":
            return _object(schema, operation, depth)
        case "array":
            return _array(schema, name, operation, depth)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case _:
            return _text(schema, name)


def _model(operation: Operation) -> str:
    found = (model for begin, model in _MODELS.items() if operation.id.startswith(begin))
    return next(found, "mistral-small-latest")


def _simplest(arms: list[Schema]) -> Schema:
    """The simplest alternative: text if allowed, else a user message or a document, else the first."""
    texts = [arm for arm in arms if arm.get("type") == "string" and "const" not in arm]
    turns = [arm for arm in arms if tag_of(arm) in ("user", "document_url")]
    return next(iter([*texts, *turns]), arms[0])


def _type(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        return cast("list[str]", named)[0]
    if isinstance(named, str):
        return named
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "string"


def _object(schema: Schema, operation: Operation, depth: int) -> dict[str, Any]:
    members: dict[str, Schema] = schema.get("properties", {})
    needed = [name for name in schema.get("required", ()) if depth < DEPTH]
    return {name: _value(members.get(name, {}), name, operation, depth + 1) for name in needed}


def _array(schema: Schema, name: str, operation: Operation, depth: int) -> list[Any]:
    if depth >= DEPTH:
        return []
    if "prefixItems" in schema:
        return [_value(item, name, operation, depth + 1) for item in schema["prefixItems"]]
    item = _value(schema.get("items", {}), name.removesuffix("s"), operation, depth + 1)
    return [item] * max(1, min(schema.get("minItems", 1), 10))


def _number(schema: Schema) -> int | float:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    return min(max(lowest, 1), schema.get("maximum", lowest + 1))


def _text(schema: Schema, name: str) -> str:
    if found := _BY_FORMAT.get(schema.get("format", "")):
        return found
    pattern = str(schema.get("pattern", ""))
    likely = _BY_NAME.get(name, f"example-{name.replace('_', '-')}" if name else "example")
    text = next((each for each in (likely, "example", "example-1", UUID, "1") if re.search(pattern, each)), likely)
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
