"""Values that satisfy a schema."""

import jsonschema
import pytest

from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol.errors import ApiError

PROMPT = 'Book "Room 12" for Ada Lovelace on 2027-03-04, 3 nights at 99.5, write to ada@example.org, red please'

SCHEMAS = {
    "nothing": {},
    "object": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}},
    "closed": {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
    "nested": {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}},
        "required": ["a"],
    },
    "undeclared": {"type": "object", "required": ["x"]},
    "crowded": {"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}},
    "enum": {"enum": ["green", "red"]},
    "const": {"const": {"x": [1]}},
    "bounds": {"type": "integer", "minimum": 1000, "maximum": 1003},
    "exclusive": {"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.2},
    "negative": {"type": "integer", "maximum": -5},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 8},
    "lengths": {"type": "string", "minLength": 50, "maxLength": 60},
    "short": {"type": "string", "maxLength": 3},
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    "empty": {"type": "array", "maxItems": 0},
    "distinct": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    "different": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False},
    "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "one": {"oneOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]},
    "all": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "types": {"type": ["integer", "null"]},
    "untyped": {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "reference": {
        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/Point"},
            "path": {"type": "array", "items": {"$ref": "#/$defs/Point"}},
        },
        "required": ["at", "path"],
    },
    "recursive": {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "id": {"type": "integer"},
                },
                "required": ["id"],
            }
        },
        "$ref": "#/$defs/Node",
    },
    "tree": {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["children"],
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_instance_satisfies_its_schema(name: str):
    for prompt in (PROMPT, ""):
        jsonschema.validate(fill_schema(SCHEMAS[name], Hints(prompt)), SCHEMAS[name])


@pytest.mark.parametrize("kind", ["date", "date-time", "time", "email", "uri", "uuid", "ipv4"])
def test_formats_are_plausible(kind: str):
    value = fill_schema({"type": "string", "format": kind}, Hints(""))
    jsonschema.validate(value, {"format": kind}, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_what_the_prompt_offers_is_used_once_each():
    properties = {
        "room": {"type": "string"},
        "guest": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "nights": {"type": "integer"},
        "price": {"type": "number"},
        "mail": {"type": "string", "format": "email"},
        "colour": {"enum": ["blue", "red"]},
        "remark": {"type": "string"},
    }
    assert fill_schema({"type": "object", "properties": properties}, Hints(PROMPT)) == {
        "room": "Room 12",
        "guest": "Ada Lovelace",
        "day": "2027-03-04",
        "nights": 3,
        "price": 99.5,
        "mail": "ada@example.org",
        "colour": "red",
        "remark": "sample remark",
    }


def test_a_text_or_query_is_the_whole_prompt():
    assert fill_schema({"properties": {"query": {"type": "string"}}}, Hints("find it")) == {"query": "find it"}


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/none"}, {"type": "float"}])
def test_a_schema_that_makes_no_sense_is_refused(schema: dict):
    with pytest.raises(ApiError, match="Invalid schema"):
        fill_schema(schema, Hints(""))
