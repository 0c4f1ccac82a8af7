"""Wrappers that other APIs put around an argument are removed; what only looks like one stays."""

import json
from typing import Any

import pytest

from tests.tools.framework.arguments.conftest import Read, Refuse

CHAT, CALL, BATCH = "mistral_chat", "mistral_function_call", "mistral_create_batch_job"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
NAMED = {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"json_schema": SCHEMA},
        {"json_schema": NAMED},
        {"json_schema": {"schema": SCHEMA}},
        {"json_schema": {"type": "json_schema", "json_schema": NAMED}},
        {"json_schema": {"type": "json_schema", "json_schema": SCHEMA}},
        {"json_schema": json.dumps({"type": "json_schema", "json_schema": NAMED})},
        {"response_format": {"type": "json_schema", "json_schema": NAMED}},
        {"response_format": {"type": "json_schema"}, "json_schema": SCHEMA},
        {"response_format": {"type": "json_schema", "json_schema": {}}, "json_schema": NAMED},
    ],
)
def test_a_schema_is_taken_out_of_its_wrappers(read: Read, wrapped: dict[str, Any]) -> None:
    assert read(CHAT, {"prompt": "x", **wrapped}) == {"prompt": "x", "json_schema": SCHEMA}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": "x"},
        {"type": "object", "json_schema": SCHEMA},
        {"json_schema": SCHEMA},
        {"schema": "x"},
        {"name": "n", "schema": True},
        {"schema": SCHEMA, "type": "object"},
    ],
)
def test_a_schema_that_only_looks_like_a_wrapper_stays(read: Read, schema: dict[str, Any]) -> None:
    assert read(CHAT, {"json_schema": schema}) == {"json_schema": schema}


def test_a_response_format_is_known_by_its_type_alone(read: Read, refuse: Refuse) -> None:
    assert read(CHAT, {"prompt": "x", "response_format": {"type": "json_object"}}) == {
        "prompt": "x",
        "response_format": "json_object",
    }
    assert refuse(CHAT, {"response_format": {"type": "text", "more": 1}}).startswith(
        "response_format must be text"
    )
    assert refuse(CHAT, {"response_format": {"more": "text"}}).startswith("response_format must be")


@pytest.mark.parametrize(
    "wrapped",
    [
        {"name": "f", "strict": True},
        {"type": "function", "name": "f", "strict": True},
        {"type": "function", "function": {"name": "f", "strict": True}},
        {"function": {"name": "f", "strict": True}},
    ],
)
@pytest.mark.parametrize("put", [lambda one: one, lambda one: [one], lambda one: json.dumps([one])])
def test_a_function_is_taken_out_of_its_wrappers(read: Read, wrapped: dict[str, Any], put: Any) -> None:
    [function] = read(CALL, {"functions": put(wrapped)})["functions"]

    assert function.model_dump(exclude_none=True) == {"name": "f", "strict": True}


@pytest.mark.parametrize(
    ("function", "place"),
    [
        ({"type": "web_search", "name": "f"}, "functions[0].type is not known."),
        ({"type": "web_search", "function": {"name": "f"}}, "functions[0].name is missing."),
        ({"name": "f", "function": "g"}, "functions[0].function is not known."),
        ("f", "functions[0] must be an object."),
    ],
)
def test_what_is_in_no_form_of_a_function_is_refused_as_it_came(
    refuse: Refuse, function: object, place: str
) -> None:
    assert refuse(CALL, {"functions": [function]}) == place


@pytest.mark.parametrize(
    ("wrapped", "choice"),
    [
        ("any", "any"),
        ({"type": "auto"}, "auto"),
        ({"type": "none", "name": "f"}, "none"),
        ({"type": "function", "name": "f"}, "f"),
        ({"type": "function", "function": {"name": "f"}}, "f"),
        ({"function": {"name": "f"}}, "f"),
        ({"name": "f"}, "f"),
    ],
)
def test_a_tool_choice_is_a_name(read: Read, wrapped: object, choice: str) -> None:
    assert read(CALL, {"functions": [{"name": "f"}], "tool_choice": wrapped})["tool_choice"] == choice


@pytest.mark.parametrize("choice", [{"a": 1}, {"function": "f"}, {"type": "function", "function": {}}, ["f"]])
def test_a_tool_choice_in_no_known_form_is_refused(refuse: Refuse, choice: object) -> None:
    assert refuse(CALL, {"functions": [{"name": "f"}], "tool_choice": choice}) == "tool_choice must be text."


def test_the_role_developer_is_what_system_is_here(read: Read, refuse: Refuse) -> None:
    given = [{"role": "developer", "content": "a"}, {"role": "user", "content": "developer"}]
    [first, second] = read(CHAT, {"messages": given})["messages"]

    assert (first.role, first.content) == ("system", "a")
    assert (second.role, second.content) == ("user", "developer")
    assert refuse(CHAT, {"messages": ["developer"]}) == "messages[0] must be an object."


def test_only_the_arguments_that_are_wrapped_elsewhere_are_looked_into(read: Read) -> None:
    [request] = read(BATCH, {"endpoint": "/v1/ocr", "requests": [{"body": NAMED}]})["requests"]

    assert request.body == NAMED
