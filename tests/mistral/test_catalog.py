"""What a call costs, from published prices."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_mcp.errors import BadSetting
from mistral_mcp.mistral.catalog import Catalog, Per, PriceFile

MILLION = 1_000_000
CATALOG = Catalog.load()

LAVA = [
    "codestral-2411-rc5",
    "codestral-2412",
    "codestral-2501",
    "codestral-2508",
    "codestral-latest",
    "devstral-small-latest",
    "magistral-medium-latest",
    "magistral-small-latest",
    "ministral-14b-2512",
    "ministral-14b-latest",
    "ministral-3b-latest",
    "ministral-8b-2512",
    "ministral-8b-latest",
    "mistral-embed",
    "mistral-large-latest",
    "mistral-large-pixtral-2411",
    "mistral-medium",
    "mistral-medium-2505",
    "mistral-medium-2508",
    "mistral-medium-2604",
    "mistral-medium-latest",
    "mistral-saba-2502",
    "mistral-saba-latest",
    "mistral-small-2603",
    "mistral-small-latest",
    "mistral-tiny-2407",
    "mistral-tiny-latest",
    "open-mistral-nemo",
    "open-mistral-nemo-2407",
    "pixtral-12b",
    "pixtral-12b-2409",
    "pixtral-12b-latest",
    "pixtral-large-2411",
    "pixtral-large-latest",
]
"""Every name that Lava's page of Mistral's models lists."""


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("mistral-small-2603", (0.15, 0.6, 0.015, "2026-11-28")),
        ("mistral-small-latest", (0.15, 0.6, 0.015, "2026-11-28")),
        ("mistral-medium-latest", (1.5, 7.5, 0.15, "2026-11-28")),
        ("magistral-medium-latest", (1.5, 7.5, 0.15, "2026-11-28")),
        ("codestral-latest", (0.3, 0.9, 0.03, "2026-11-28")),
        ("mistral-embed", (0.1, None, None, "2026-08-21")),
        ("mistral-moderation-latest", (0, 0, None, "2026-11-28")),
        ("zai-glm-5-3-flash", (0.15, 0.5, 0.03, "2026-11-28")),
        ("mistral-large-4", (0.7, 2.1, 0.07, "2026-11-28")),
        ("codestral-2501", (0.3, 0.9, None, "2026-08-21")),
    ],
)
def test_a_price_is_found_by_id_or_alias_and_has_its_date(model: str, prices: tuple[Any, ...]):
    price = CATALOG.price_of(model)

    assert price is not None
    assert (
        price.input_usd_per_mtok,
        price.output_usd_per_mtok,
        price.cached_input_usd_per_mtok,
        price.date,
    ) == prices


@pytest.mark.parametrize(
    ("day", "dollars"),
    [("2026-10-19", 0.68), ("2026-10-20", 1.36), ("2026-10-28", 1.36), ("2026-10-29", 0.7), ("2030-01-01", 0.7)],
)
def test_of_several_periods_the_one_that_began_last_counts(day: str, dollars: float):
    catalog = catalog_of_day(day)

    assert catalog.cost_usd("mistral-large-4", prompt_tokens=MILLION, completion_tokens=0) == dollars


def test_a_catalogue_that_is_in_use_at_midnight_has_the_new_prices_from_then_on():
    days = iter(["2026-10-28", "2026-10-28", "2026-10-29", "2026-10-29"])
    catalog = Catalog(Catalog.load()._prices, lambda: dt.date.fromisoformat(next(days)))

    costs = [catalog.cost_usd("mistral-large-4", prompt_tokens=MILLION, completion_tokens=0) for _ in range(4)]
    assert costs == [1.36, 1.36, 0.7, 0.7]


def test_an_alias_that_moves_while_the_catalogue_is_in_use_has_the_new_price():
    catalog = Catalog.load()
    before = catalog.cost_usd("mistral-small-latest", prompt_tokens=MILLION, completion_tokens=0)
    catalog.learn_aliases([["mistral-medium-3-5", "mistral-small-latest"]])
    after = catalog.cost_usd("mistral-small-latest", prompt_tokens=MILLION, completion_tokens=0)

    assert (before, after) == (0.15, 1.5)


def catalog_of_day(day: str, models: dict[str, Any] | None = None) -> Catalog:
    """A catalogue as it is read on a day."""
    prices = (
        PriceFile.model_validate({"date": "2026-11-28", "models": models}) if models else Catalog.load()._prices
    )
    return Catalog(prices, lambda: dt.date.fromisoformat(day))


@pytest.mark.parametrize("name", LAVA)
def test_every_name_of_lava_s_table_has_a_price(name: str):
    assert CATALOG.cost_usd(name, prompt_tokens=1000, completion_tokens=0 if "embed" in name else 1000)


@pytest.mark.parametrize("model", ["mistral-nonesuch", "", "ft:", "ft:mistral-small-2506:abc:20260101:xyz"])
def test_an_unknown_price_is_none_and_no_error(model: str):
    assert CATALOG.price_of(model) is None
    assert CATALOG.cost_usd(model, prompt_tokens=1000, completion_tokens=1000) is None


@pytest.mark.parametrize(
    ("groups", "dollars"),
    [
        ([], 0.15),
        ([["mistral-medium-3-5", "mistral-small-latest"]], 1.5),
        ([["mistral-small-latest", "mistral-medium-3-5"]], 1.5),
        ([["mistral-small-2711", "mistral-small-latest"]], None),
        ([["mistral-small-latest"]], 0.15),
        ([["x" * 101, "mistral-small-latest"]], None),
    ],
    ids=["nothing learnt", "moved", "in any order", "to a model nobody knows", "alone", "an endless name"],
)
def test_aliases_of_mistral_s_own_list_come_before_ours(groups: list[list[str]], dollars: float | None):
    catalog = Catalog.load()
    catalog.learn_aliases(groups)

    assert catalog.cost_usd("mistral-small-latest", prompt_tokens=MILLION, completion_tokens=0) == dollars
    assert catalog.cost_usd("codestral-latest", prompt_tokens=MILLION, completion_tokens=0) == 0.3


def test_what_is_learnt_is_bounded():
    catalog = Catalog.load()
    catalog.learn_aliases([[f"mistral-{number}", f"alias-{number}"] for number in range(5000)])

    assert len(catalog._learnt) == 2000
    assert "alias-4999" in catalog._learnt


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("mistral-small-latest", 262144),
        ("codestral-2508", 131072),
        ("mistral-large-4", 1048576),
        ("ft:mistral-small-2603:abc:20240101:xyz", 262144),
        ("mistral-ocr-latest", None),
        ("mistral-nonesuch", None),
    ],
)
def test_a_context_window_is_known_or_none(model: str, tokens: int | None):
    assert CATALOG.context_window(model) == tokens


@pytest.mark.parametrize(
    ("circumstances", "dollars"),
    [
        ({}, 0.75),
        ({"cached_tokens": MILLION}, 0.615),
        ({"cached_tokens": 2 * MILLION}, 0.615),
        ({"cached_tokens": -5}, 0.75),
        ({"regional": True}, 0.825),
        ({"batch": True}, 0.375),
        ({"priority": True}, 1.3125),
        ({"regional": True, "batch": True, "cached_tokens": 500_000}, 0.375375),
    ],
)
def test_a_cost_knows_cached_regional_batch_and_priority_prices(circumstances: dict[str, Any], dollars: float):
    cost = CATALOG.cost_usd(
        "mistral-small-latest", prompt_tokens=MILLION, completion_tokens=MILLION, **circumstances
    )

    assert cost == dollars


def test_cached_tokens_cost_what_is_published_or_else_a_tenth():
    prices = {"a": {"prices": [{"input": 3, "output": 1}]}, "b": {"prices": [{"input": 3, "cached_input": 2}]}}
    catalog = catalog_of_day("2026-11-28", prices)
    costs = [
        catalog.cost_usd(model, prompt_tokens=MILLION, completion_tokens=0, cached_tokens=MILLION)
        for model in "ab"
    ]

    assert costs == [0.3, 2]


def test_audio_in_a_chat_is_priced_beside_its_tokens():
    chat = {"prompt_tokens": MILLION, "completion_tokens": 0}

    assert CATALOG.cost_usd("voxtral-small-latest", **chat, audio_seconds=90) == 0.106
    assert CATALOG.cost_usd("voxtral-small-latest", **chat) == 0.1
    assert CATALOG.cost_usd("mistral-small-latest", **chat, audio_seconds=90) is None


def test_tokens_that_have_no_price_make_the_cost_unknown():
    assert CATALOG.cost_usd("mistral-embed", prompt_tokens=MILLION, completion_tokens=0) == 0.1
    assert CATALOG.cost_usd("mistral-embed", prompt_tokens=MILLION, completion_tokens=1) is None
    assert CATALOG.cost_usd("mistral-ocr-latest", prompt_tokens=1, completion_tokens=0) is None


@pytest.mark.parametrize(
    ("model", "amount", "per", "cost"),
    [
        ("mistral-ocr-latest", 3, "1000 pages", 0.012),
        ("mistral-ocr-latest", 3, "1000 annotated pages", 0.015),
        ("voxtral-mini-latest", 2, "minute", 0.006),
        ("voxtral-mini-transcribe-3-0", 2, "minute", 0.007),
        ("voxtral-mini-tts-2603", 500, "million characters", 0.008),
        ("mistral-ocr-latest", 3, "minute", None),
        ("voxtral-small-latest", 2, "minute", None),  # whose tokens are priced beside
        ("unheard-of", 3, "1000 pages", None),
    ],
)
def test_pages_minutes_and_characters_have_their_price(model: str, amount: float, per: Per, cost: float | None):
    assert CATALOG.unit_cost_usd(model, amount, per) == cost


def test_a_regional_endpoint_asks_more_for_a_page_and_a_batch_half():
    assert CATALOG.unit_cost_usd("mistral-ocr-latest", 10, "1000 pages", regional=True) == 0.044
    assert CATALOG.unit_cost_usd("mistral-ocr-latest", 10, "1000 pages", batch=True) == 0.02


def test_a_cost_is_not_noisy():
    cost = CATALOG.cost_usd("mistral-small-latest", prompt_tokens=3, completion_tokens=7, cached_tokens=1)

    assert cost == 4.515e-06


@given(
    st.integers(), st.integers(), st.integers(), st.floats(-1e9, 1e9), st.booleans(), st.booleans(), st.booleans()
)
def test_a_cost_is_never_negative(
    prompt: int,
    completion: int,
    cached: int,
    seconds: float,
    regional: bool,  # noqa: FBT001
    batch: bool,  # noqa: FBT001
    priority: bool,  # noqa: FBT001
):
    cost = CATALOG.cost_usd(
        "voxtral-small-latest",
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        audio_seconds=seconds,
        regional=regional,
        batch=batch,
        priority=priority,
    )

    assert cost is not None
    assert cost >= 0


def test_a_file_of_ones_own_overrides_prices_and_keeps_the_others(tmp_path: Path):
    models = {"mistral-small-latest": {"prices": [{"input": 9, "output": 9}]}, "own": {"prices": [{"page": 1}]}}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"date": "2027-01-01", "models": models}))
    catalog = Catalog.load(file)

    price = catalog.price_of("mistral-small-latest")
    assert price is not None
    assert (price.input_usd_per_mtok, price.date) == (9, "2027-01-01")
    assert catalog.unit_cost_usd("own", 1000, "1000 pages") == 1
    assert catalog.price_of("codestral-latest") == CATALOG.price_of("codestral-latest")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        '{"models": {}}',
        '{"date": "2026-01-01", "models": {"a": {"prices": [{"input": -1}]}}}',
        "{nan",
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_without_its_content(content: str | None, tmp_path: Path):
    file = tmp_path / "prices.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadSetting, match=r"^MISTRAL_MCP_CATALOG cannot be used: ") as refused:
        Catalog.load(file)

    assert "nan" not in str(refused.value)


def test_every_alias_of_ours_has_a_target():
    entries = CATALOG._prices.models
    dangling = [name for name, entry in entries.items() if entry.alias_of and entry.alias_of not in entries]

    assert dangling == []
