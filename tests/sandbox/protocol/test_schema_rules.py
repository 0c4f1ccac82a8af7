"""Callers' schemas that Mistral's grammar compiler rejects, naming the keyword."""

import pytest

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


def as_function(schema: dict) -> dict:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}


def as_format(schema: dict) -> dict:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}}


@pytest.mark.parametrize("place", [as_function, as_format])
@pytest.mark.parametrize(
    ("schema", "keys"),
    [
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", **OBJECT}, '["$schema"]'),
        ({"$id": "https://example.com/a", "$comment": "x", **OBJECT}, '["$comment", "$id"]'),
        ({"type": "object", "properties": {"a": {"type": "string", "$comment": "x"}}}, '["$comment"]'),
    ],
)
async def test_annotations_are_named(place, schema: dict, keys: str, ask_for_error):
    message = f"Grammar error: at 3(11): failed to compile JSON schema: Unimplemented keys: {keys}"
    assert (await ask_for_error(**place(schema)))[3] == message


@pytest.mark.parametrize("place", [as_function, as_format])
async def test_a_property_may_have_the_name_of_an_annotation(place, chat):
    schema = {"type": "object", "properties": {"$id": {"type": "string", "enum": ["$schema"]}}}
    assert (await chat(**place(schema))).status_code == 200


async def test_bounds_of_draft_4_are_no_bounds(ask_for_error):
    schema = {"type": "object", "properties": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": True}}}
    status, _, _, message = await ask_for_error(**as_function(schema))
    assert (status, message) == (400, "Invalid tool schema: exclusiveMinimum must be a number")
