"""How a tool's arguments are parsed, and the models that check them."""

import json
from typing import Any

import pytest
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from pydantic import ValidationError

from mistral_mcp.errors import BadArgument
from mistral_mcp.masking import Mask
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.arguments import ADDED_BY_HOSTS, exactly_one_of, strict
from tests.conftest import KEY
from tests.tools.framework.arguments.conftest import DECLARED, Read, Refuse

EMBED = "mistral_embed"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


class Probe(ArgModelBase):
    texts: list[str] = []
    rows: list[list[int]] | str = []
    pairs: tuple[int, list[int]] | None = None


@pytest.fixture
def model() -> type[ArgModelBase]:
    return strict(Probe)


def test_what_hosts_add_is_not_read(read: Read) -> None:
    added = dict.fromkeys(ADDED_BY_HOSTS, "x")

    assert read(EMBED, {**added, "inputs": ["a"]}) == {"inputs": ["a"], "output": "auto"}


def test_an_argument_that_is_not_offered_is_unknown() -> None:
    tool = MistralTool.of(DECLARED[EMBED])
    with pytest.raises(BadArgument, match=r"unknown argument 'model' \(known are inputs\)"):
        tool.arguments.read({"inputs": ["a"], "model": "m"}, ["inputs"], Mask([]))


def test_what_is_too_large_is_named_without_secrets(refuse: Refuse) -> None:
    deep = json.loads("[" * 65 + "]" * 65)
    said = refuse("mistral_chat", {"messages": [{KEY: deep}]})

    assert said == "messages[0].[masked] is nested more than 64 deep."


def test_a_wrapper_that_came_as_text_is_taken_off_and_what_it_held_is_read(read: Read) -> None:
    wrapped = json.dumps({"type": "function", "function": {"name": 5, "description": ""}})
    [function] = read("mistral_function_call", {"functions": wrapped})["functions"]

    assert function.model_dump(exclude_none=True) == {"name": "5"}


def test_refusals_end_with_what_to_do() -> None:
    tool = MistralTool.of(DECLARED[EMBED])
    with pytest.raises(BadArgument) as refused:
        tool.arguments.read({}, ["inputs"], Mask([]))

    assert str(refused.value) == "inputs is missing. Correct the arguments and call again."


def test_exactly_one_of_names_the_one_or_says_what_is_wrong() -> None:
    assert exactly_one_of(content=None, path="a") == "path"
    assert exactly_one_of(content="", path=None) == "content"
    with pytest.raises(BadArgument) as none:
        exactly_one_of(content=None, path=None)
    with pytest.raises(BadArgument) as both:
        exactly_one_of(content="x", path="a")

    assert (
        str(none.value) == "Exactly one of content, path is needed, and none of them is given. Give exactly one."
    )
    assert str(both.value) == (
        "Exactly one of content, path is needed, and content and path are given together. Give exactly one."
    )


def test_a_strict_model_is_its_model_without_extras(model: type[ArgModelBase]) -> None:
    assert (model.__name__, issubclass(model, Probe)) == ("Probe", True)
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"more": 1})
    assert [error["type"] for error in refused.value.errors()] == ["extra_forbidden"]


def test_a_strict_model_shows_nothing_of_what_it_refuses(model: type[ArgModelBase]) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"texts": [12345]})
    assert "12345" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        ({"texts": [1, 2, 3]}, 1),
        ({"rows": [["a", "b"]]}, 2),
        ({"rows": [["a", "b"], ["c"]]}, 2),
        ({"pairs": [1, ["a", "b"]]}, 1),
    ],
)
def test_lists_end_at_the_first_item_that_does_not_fit(
    model: type[ArgModelBase], arguments: dict[str, Any], problems: int
) -> None:
    """A million wrong items would be a million errors. A text is the other alternative of `rows`, and one more."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(arguments)
    assert refused.value.error_count() == problems
