"""What a call reserves: never less than it costs, as far as its arguments tell."""

import time
from inspect import signature
from typing import Any, get_args

import pytest

from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.settings import Settings
from mistral_mcp.tools.framework.estimates.estimate import Estimate, Pricing
from mistral_mcp.tools.framework.estimates.token_counts import estimate_texts
from mistral_mcp.usage.bounds import FRAME, Charge, is_dry_run
from mistral_mcp.usage.sums import DOLLAR
from tests.conftest import every_tool

CATALOG = Catalog.load()
FREE = {
    *("mistral_get_model", "mistral_list_batch_jobs", "mistral_get_conversation", "mistral_delete_conversation"),
    *("mistral_update_fine_tuned_model", "mistral_archive_fine_tuned_model", "mistral_unarchive_fine_tuned_model"),
    "mistral_delete_fine_tuned_model",
    "mistral_create_fine_tuning_job",  # no price is published
}
"""Tools that name a model, but do not ask it."""


def charge_of(tool: str) -> Charge:
    charge = next(known.charge for known in every_tool() if known.name == tool)
    assert charge is not None
    return charge


def highest_usd(tool: str, arguments: dict[str, Any]) -> float:
    return charge_of(tool).highest_cost(arguments, Settings(), CATALOG) / DOLLAR


@pytest.mark.parametrize("letter", ["x", "é", "語", "🧮"])
def test_a_chat_costs_at_most_a_token_a_byte_and_the_longest_answer(letter: str):
    most = highest_usd("mistral_chat", {"prompt": letter * 1000, "max_tokens": 100})
    tokens = 1000 * len(letter.encode()) + FRAME
    cost = CATALOG.cost_usd("mistral-small-latest", prompt_tokens=tokens, completion_tokens=100)

    assert most == pytest.approx(cost)


def test_a_picture_is_not_counted_beyond_the_context_of_the_model():
    window = CATALOG.context_window("mistral-small-latest")
    picture = {"messages": [{"role": "user", "content": [{"image_url": "x" * 10_000_000}]}], "max_tokens": 1}
    assert highest_usd("mistral_chat", picture) == pytest.approx(
        CATALOG.cost_usd("mistral-small-latest", prompt_tokens=window, completion_tokens=1)
    )


def test_texts_that_are_embedded_one_by_one_are_counted_beyond_the_context():
    texts = ["x" * 5000] * 100
    tokens = 500_000 + 100 * FRAME

    most = highest_usd("mistral_embed", {"inputs": texts, "max_tokens": 1})
    assert most == pytest.approx(CATALOG.cost_usd("mistral-embed", prompt_tokens=tokens, completion_tokens=0))


def test_more_values_than_a_call_may_have_fill_the_context_without_a_walk():
    window = CATALOG.context_window("mistral-small-latest")
    hostile = {"messages": [{}] * 1_000_000, "max_tokens": 1}

    began = time.thread_time()
    most = highest_usd("mistral_chat", hostile)

    assert time.thread_time() - began < 1
    assert most == pytest.approx(
        CATALOG.cost_usd("mistral-small-latest", prompt_tokens=window, completion_tokens=1)
    )


def test_each_of_several_models_is_counted():
    alone = [
        highest_usd("mistral_chat", {"prompt": "Hi", "model": model})
        for model in ("mistral-small-latest", "mistral-large-latest")
    ]
    both = highest_usd(
        "mistral_compare",
        {"prompt": "Hi", "models": ["mistral-small-latest", "mistral-large-latest"]},
    )

    assert both == pytest.approx(sum(alone), rel=0.01)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mistral_embed", {"inputs": ["Hello"]}),
        ("mistral_code_complete", {"prompt": "def f("}),
        ("mistral_ocr", {"document": "https://example.org/a.pdf"}),
        ("mistral_transcribe", {"url": "https://example.org/a.mp3"}),
        ("mistral_speak", {"text": "Hello"}),
    ],
)
def test_a_tool_that_names_no_model_is_counted_with_its_own(tool: str, arguments: dict[str, Any]):
    assert highest_usd(tool, arguments) > 0


@pytest.mark.parametrize(
    "arguments",
    [{"model": "nobody-knows"}, {"models": 7}, {"max_tokens": "many", "model": None}, {"max_tokens": 10**400}],
)
def test_arguments_that_are_wrong_stop_nothing(arguments: dict[str, Any]):
    assert highest_usd("mistral_chat", arguments) >= 0


@pytest.mark.parametrize("dry_run", [True, "true", "True"])
def test_a_dry_run_is_free_and_not_looked_into(dry_run: object):
    arguments = {"document": "https://example.org/a.pdf", "dry_run": dry_run}

    assert highest_usd("mistral_ocr", arguments) == 0
    assert is_dry_run(arguments)


@pytest.mark.parametrize("dry_run", [False, "false", None])
def test_what_is_no_dry_run_is_counted(dry_run: object):
    arguments = {"document": "https://example.org/a.pdf", "dry_run": dry_run}

    assert highest_usd("mistral_ocr", arguments) > 0
    assert not is_dry_run(arguments)


def test_every_tool_with_an_estimate_is_looked_into_but_embeddings_whose_arguments_tell_as_much():
    estimating = {tool.name for tool in every_tool() if Estimate in get_args(signature(tool.fn).return_annotation)}

    assert "mistral_ocr" in estimating
    assert {name for name in estimating if not charge_of(name).asks_dry_run} == {"mistral_embed"}


async def test_embeddings_cost_no_more_than_their_arguments_tell():
    texts = ["a", "été", "数学" * 500, "🧮", ""]
    found = await estimate_texts(Pricing(CATALOG, "mistral-embed", regional=False), texts)

    assert highest_usd("mistral_embed", {"inputs": texts}) >= found.cost_usd.max


def test_every_tool_that_asks_a_model_says_what_it_is_charged_for():
    naming = {"model", "models", "agent_id", "conversation_id"}
    asking = {tool.name for tool in every_tool() if naming & tool.parameters["properties"].keys()}

    assert {tool.name for tool in every_tool() if tool.charge is not None} == asking - FREE
