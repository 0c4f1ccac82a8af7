"""What a parameter accepts by its schema: its bounds, and how a value is converted to the intended one."""

from typing import Any

import pytest

from mistral_mcp.tools.framework.arguments.shapes import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_JSON_TEXT,
    MAX_MEMBERS,
    MAX_TEXT,
    MAX_VALUES,
    Shape,
    excess,
    read,
    read_members,
)
from tests.tools.framework.arguments.conftest import Read, Refuse

TEXT, INTEGER, OBJECT = Shape(frozenset({"string"})), Shape(frozenset({"integer"})), Shape(frozenset({"object"}))
LIST = Shape(frozenset({"array"}))
CALL = Shape(frozenset({"object"}), members={"text": TEXT, "list": LIST, "number": INTEGER, "object": OBJECT})


def test_a_shape_is_that_of_all_alternatives_together() -> None:
    definitions = {
        "Named": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 9}, "any": {}},
            "required": ["name"],
        },
        "Either": {"anyOf": [{"$ref": "#/$defs/Named"}, {"$ref": "#/$defs/Other"}]},
        "Other": {"type": "object", "properties": {"other": {"type": "string"}}, "required": ["other"]},
    }
    schema = {
        "anyOf": [
            {"type": "string", "maxLength": 5},
            {"type": "string", "maxLength": 7},
            {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/Named"}},
            {"type": "array", "maxItems": 4, "items": {"type": "integer"}},
            {"$ref": "#/$defs/Either"},
            {},
        ]
    }
    named = Shape(
        frozenset({"object"}),
        members={"name": Shape(frozenset({"string"}), max_length=9), "any": Shape(frozenset())},
        required=frozenset({"name"}),
    )

    assert Shape.of(schema, definitions) == Shape(
        frozenset({"string", "array", "object"}),
        max_length=7,
        max_items=4,
        items=named,
        members=named.members,
        required=named.required,
    )


def test_a_shape_without_bounds_has_those_of_all_arguments() -> None:
    assert Shape.of({"type": "string"}, {}) == Shape(
        frozenset({"string"}), MAX_TEXT, MAX_ITEMS, None, None, frozenset()
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ' ["END"]'}, {"stop": ["END"]}),
        ({"stop": '["END"'}, {"stop": ['["END"']}),
        ({"stop": '{"a": 1}'}, None),
        ({"stop": 5}, {"stop": ["5"]}),
        ({"stop": ["a", 5]}, {"stop": ["a", "5"]}),
        ({"stop": "[]"}, {}),
        ({"stop": []}, {}),
        ({"json_schema": ' {"a": [1]}'}, {"json_schema": {"a": [1]}}),
        ({"json_schema": {}}, {}),
        ({"json_schema": "{}"}, {}),
        ({"json_schema": {"a": None, "b": []}}, {"json_schema": {"a": None, "b": []}}),
        ({"prompt": 5}, {"prompt": "5"}),
        ({"prompt": "[1]"}, {"prompt": "[1]"}),
        ({"prompt": True}, None),
        ({"prompt": ""}, {}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": "5"}, {"max_tokens": 5}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": None}, {}),
    ],
)
def test_an_argument_is_read_as_it_was_meant(
    read: Read, refuse: Refuse, given: dict[str, Any], meant: dict[str, Any] | None
) -> None:
    if meant is None:
        assert " must be " in refuse("mistral_chat", given)
    else:
        assert read("mistral_chat", given) == meant


def test_members_of_members_are_read_too(read: Read) -> None:
    [message] = read("mistral_chat", {"messages": {"role": "user", "content": 5}})["messages"]

    assert message.content == "5"


def test_an_object_in_a_text_is_a_list_of_one(read: Read) -> None:
    [message] = read("mistral_chat", {"messages": '{"role": "user", "content": "x"}'})["messages"]

    assert message.content == "x"


@pytest.mark.parametrize(
    ("types", "given"),
    [
        ({"array", "string"}, "x"),
        ({"array", "string"}, "[1]"),
        ({"array", "object"}, {"a": 1}),
        ({"string", "integer"}, 5),
        ({"string", "number"}, 5),
        ({"array", "null"}, None),
        ({"object"}, "[1]"),
        (set[str](), "[1]"),
    ],
)
def test_what_fits_one_of_several_types_stays(types: set[str], given: object) -> None:
    assert read(given, Shape(frozenset(types))) == given


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]"])
def test_json_in_a_text_is_read_up_to_a_bound(text: str) -> None:
    shape = Shape(frozenset({"array", "object"}))

    assert isinstance(read(text.ljust(MAX_JSON_TEXT), shape), dict | list)
    assert isinstance(read(text.ljust(MAX_JSON_TEXT + 1), shape), str)


def test_what_is_required_is_given_even_if_it_is_empty() -> None:
    shape = Shape(
        frozenset({"object"}), members={"text": TEXT, "list": LIST}, required=frozenset({"text", "list"})
    )

    assert read_members({"text": "", "list": "x"}, shape) == {"text": "", "list": ["x"]}
    assert read_members({"text": None, "list": None}, shape) == {}


def test_members_that_nobody_knows_stay_as_they_are() -> None:
    given = {"new": "", "older": None, "text": 5}

    assert read_members(given, CALL) == {**given, "text": "5"}
    assert read_members(given, OBJECT) == given


def nest(depth: int) -> object:
    """A value with as many lists around it."""
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("most", "more", "problem"),
    [
        ({"text": "x" * MAX_TEXT}, {"text": "x" * (MAX_TEXT + 1)}, "text is longer than 8,388,608 characters"),
        ({"list": [1] * MAX_ITEMS}, {"list": [1] * (MAX_ITEMS + 1)}, "list has more than 20,000 items"),
        (
            {f"m{number}": 1 for number in range(MAX_MEMBERS)},
            {f"m{number}": 1 for number in range(MAX_MEMBERS + 1)},
            "the call has more than 64 members",
        ),
        ({"list": nest(MAX_DEPTH)}, {"list": nest(MAX_DEPTH + 1)}, "list is nested more than 64 deep"),
        ({"new": nest(MAX_DEPTH)}, {"new": nest(MAX_DEPTH + 1)}, "new is nested more than 64 deep"),
        (
            {"object": {"a": [1] * (MAX_VALUES - 1)}},
            {"object": {"a": [1] * MAX_VALUES}},
            "the arguments hold more than 200,000 values",
        ),
    ],
)
def test_each_bound_is_what_may_just_be_given(most: dict[str, Any], more: dict[str, Any], problem: str) -> None:
    assert excess(most, CALL) is None
    assert excess(more, CALL) == problem


def test_places_of_what_is_too_large_lead_through_lists_and_objects() -> None:
    message = Shape(frozenset({"object"}), members={"content": Shape(frozenset({"string"}), max_length=3)})
    call = Shape(frozenset({"object"}), members={"messages": Shape(frozenset({"array"}), items=message)})
    long = {"m" * 100: nest(MAX_DEPTH + 1)}

    assert (
        excess({"messages": [{}, {"content": "four"}]}, call) == "messages[1].content is longer than 3 characters"
    )
    assert excess({"messages": [long]}, call) == f"messages[0].{'m' * 64} is nested more than 64 deep"
    assert (
        excess({"messages": [dict.fromkeys(map(str, range(65)))]}, call) == "messages[0] has more than 64 members"
    )
    assert excess({"messages": [{"content": ["four"]}]}, call) is None


def test_values_are_counted_over_all_arguments() -> None:
    half = [1] * (MAX_VALUES // 2)

    assert excess({"object": half, "new": half}, CALL) is None
    assert (
        excess({"object": half, "new": half, "text": [1]}, CALL) == "the arguments hold more than 200,000 values"
    )
    assert excess({"new": [half, half]}, CALL) == "the arguments hold more than 200,000 values"


def test_items_of_known_form_are_counted_before_they_are_looked_at() -> None:
    words = Shape(frozenset({"array"}), max_items=MAX_VALUES * 2, items=TEXT)
    call = Shape(frozenset({"object"}), members={"words": words})

    assert excess({"words": ["a"] * MAX_VALUES}, call) is None
    assert excess({"words": ["a"] * (MAX_VALUES + 1)}, call) == "the arguments hold more than 200,000 values"


def test_a_single_text_may_be_as_long_as_in_a_list() -> None:
    """A data URL of an image, say; or the list itself, as JSON."""
    shape = Shape(frozenset({"array"}), items=Shape(frozenset({"string"}), max_length=2 * MAX_TEXT))
    short = Shape(frozenset({"array"}), items=Shape(frozenset({"string"}), max_length=3))
    either = Shape(frozenset({"array", "string"}), max_length=3, items=shape.items)
    call = Shape(frozenset({"object"}), members={"images": shape, "stop": short, "either": either})

    assert excess({"images": "x" * 2 * MAX_TEXT}, call) is None
    assert excess({"images": "x" * (2 * MAX_TEXT + 1)}, call) == "images is longer than 16,777,216 characters"
    assert excess({"stop": "x" * MAX_JSON_TEXT}, call) is None
    assert excess({"stop": "x" * (MAX_JSON_TEXT + 1)}, call) == "stop is longer than 1,048,576 characters"
    assert excess({"either": "four"}, call) == "either is longer than 3 characters"
