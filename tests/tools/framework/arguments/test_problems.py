"""The messages about invalid arguments name the place and the rule, and repeat nothing of the values."""

from typing import Any

import pytest

from mistral_mcp.masking import Mask
from mistral_mcp.tools.framework.arguments.problems import unknown_arguments
from tests.conftest import KEY
from tests.tools.framework.arguments.conftest import Refuse

CHAT, EMBED, PROBE = "mistral_chat", "mistral_embed", "mistral_probe"


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        (CHAT, {"prompt": ["a"]}, "prompt must be text."),
        (CHAT, {"messages": [{"content": "x"}]}, "messages[0].role is missing."),
        (CHAT, {"messages": [{"role": "x"}]}, "messages[0].role must be system, user, assistant or tool."),
        (CHAT, {"messages": [{"role": "user"}, 1]}, "messages[1] must be an object."),
        (CHAT, {"stop": ["a", ""]}, "stop[1] is empty."),
        (CHAT, {"stop": ["x" * 1_001]}, "stop[0] is longer than 1,000 characters."),
        (CHAT, {"stop": ["x"] * 101}, "stop has more than 100 items."),
        (CHAT, {"temperature": 1.6}, "temperature must be at most 1.5."),
        (CHAT, {"top_p": 0}, "top_p must be more than 0."),
        (CHAT, {"temperature": 9, "top_p": 9}, "temperature must be at most 1.5; top_p must be at most 1."),
        (EMBED, {"inputs": []}, "inputs is empty."),
        (PROBE, {"names": ["abc"]}, "names needs at least 2 items."),
        (PROBE, {"names": ["abc", "ab"]}, "names[1] needs at least 3 characters."),
        (PROBE, {"even": 3}, "even: input should be a multiple of 2."),
    ],
)
def test_a_problem_is_named_with_its_place(
    refuse: Refuse, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    assert refuse(tool, arguments) == sentence


@pytest.mark.parametrize(
    ("tool", "arguments", "place"),
    [
        (CHAT, {"messages": [{"role": "user", "content": 1.5}]}, "messages[0].content"),
        (CHAT, {"messages": [{"role": "user", "content": [1]}]}, "messages[0].content"),
        (CHAT, {"json_schema": {"a": [{1: 2}]}}, "json_schema.a[0][1]"),
        (PROBE, {"thing": {"name": [1]}}, "thing.name"),
        (PROBE, {"whole": "x"}, "whole"),
        (PROBE, {"number": "x"}, "number"),
        (PROBE, {"truth": "x"}, "truth"),
    ],
)
def test_a_place_is_named_as_callers_know_it(
    refuse: Refuse, tool: str, arguments: dict[str, Any], place: str
) -> None:
    """Pydantic names the alternatives of a union too, which nobody wrote."""
    assert refuse(tool, arguments).split(" must be ")[0] == place


def test_what_a_check_of_ours_says_follows_the_place(refuse: Refuse) -> None:
    said = refuse("mistral_start_conversation", {"prompt": "x", "tools": ["x"]})

    assert said.startswith("tools[0]: unknown built-in tool; ")


def test_a_parameter_is_named_once_however_often_it_is_wrong(refuse: Refuse) -> None:
    assert refuse(CHAT, {"messages": [{"role": "x", "content": [1], "name": 2}]}).count("messages") == 1


def test_unknown_arguments_are_told_the_known_ones_once(refuse: Refuse) -> None:
    known = "known are inputs, model, output_dimension, output_dtype, output, dry_run"

    assert refuse(EMBED, {"zz": 1, "outputt": 1, "yy": 1}) == (
        f"unknown argument 'zz' ({known}); unknown argument 'outputt' (did you mean output?); unknown argument 'yy'."
    )
    assert refuse("mistral_nothing", {"zz": 1}) == "unknown argument 'zz' (it takes none)."


def test_at_most_four_unknown_arguments_are_named(refuse: Refuse) -> None:
    said = refuse(EMBED, dict.fromkeys(("aa", "bb", "cc", "dd", "ee"), 1))

    assert "'dd'" in said
    assert "'ee'" not in said


def test_no_more_unknown_names_are_looked_at_than_are_named() -> None:
    names = iter(("aa", "bb", "cc", "dd", "ee"))

    assert len(unknown_arguments(names, [], Mask([]))) == 4
    assert list(names) == ["ee"]


@pytest.mark.parametrize("length", [64, 65])
def test_of_an_unknown_name_64_characters_are_shown(refuse: Refuse, length: int) -> None:
    assert refuse("mistral_nothing", {"z" * length: 1}) == f"unknown argument '{'z' * 64}' (it takes none)."


def test_a_key_within_a_name_is_masked_before_the_name_is_cut(refuse: Refuse) -> None:
    named = f"{'x' * 40}{KEY}{'y' * 1_000}"

    assert refuse("mistral_nothing", {named: 1}).startswith(f"unknown argument '{'x' * 40}[masked]{'y' * 16}'")
    assert refuse(CHAT, {"messages": [{"role": "user", named: 1}]}).startswith(f"messages[0].{'x' * 40}[masked]y")


def test_the_beginning_of_a_long_name_is_looked_at_for_keys(refuse: Refuse) -> None:
    """A key that reaches beyond what is looked at is far from what is shown."""
    masked = "[masked]" * 6

    assert refuse("mistral_nothing", {KEY * 6: 1}) == f"unknown argument '{masked}' (it takes none)."
