"""What a call costs, from published prices."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_mcp.mistral.catalog import context_window, cost_usd, price_of, unit_cost_usd

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("mistral-small-2603", (0.15, 0.6, None, "2026-08-21")),
        ("mistral-small-latest", (0.15, 0.6, None, "2026-08-21")),
        ("mistral-medium-latest", (1.5, 7.5, None, "2026-08-21")),
        ("codestral-latest", (0.3, 0.9, None, "2026-08-21")),
        ("mistral-embed", (0.1, None, None, "2026-08-21")),
        ("mistral-moderation-latest", (0, 0, None, "2026-08-21")),
        ("zai-glm-5-2", (1.4, 4.4, 0.14, "2026-08-21")),
        # The list price, not the discount of its first two weeks.
        ("mistral-large-4", (1.36, 4.18, None, "2026-10-06")),
    ],
)
def test_a_price_is_found_by_id_or_alias_and_has_its_date(model, asked):
    price = price_of(model)

    assert price is not None
    assert (
        price.input_usd_per_mtok,
        price.output_usd_per_mtok,
        price.cached_input_usd_per_mtok,
        price.date,
    ) == asked


@pytest.mark.parametrize(
    "model", ["mistral-nonesuch", "", "ft:", "ft:mistral-small-2506:abc:20260101:xyz", "open-mistral-7b"]
)
def test_an_unknown_price_is_none_and_no_error(model):
    assert price_of(model) is None
    assert cost_usd(model, prompt_tokens=1000, completion_tokens=1000) is None


@pytest.mark.parametrize("alias", ["magistral-medium-latest", "devstral-latest", "pixtral-large-latest"])
def test_an_alias_of_a_retired_model_has_no_price_since_it_may_point_elsewhere_by_now(alias):
    assert price_of(alias) is None


def test_a_shared_alias_belongs_to_the_model_that_is_not_retired():
    price = price_of("voxtral-mini-latest")

    assert price is not None
    assert price.input_usd_per_mtok is None
    assert [(unit.usd, unit.per) for unit in price.other] == [(0.003, "minute")]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("mistral-small-latest", 262144),
        ("codestral-2508", 131072),
        ("mistral-large-4", 524288),
        ("ft:open-mistral-7b:abc:20240101:xyz", 32768),
        ("mistral-ocr-latest", None),
        ("mistral-nonesuch", None),
    ],
)
def test_a_context_window_is_known_or_none(model, tokens):
    assert context_window(model) == tokens


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
def test_a_cost_knows_cached_regional_batch_and_priority_prices(circumstances, dollars):
    cost = cost_usd("mistral-small-latest", prompt_tokens=MILLION, completion_tokens=MILLION, **circumstances)

    assert cost == dollars


def test_a_published_price_of_cached_tokens_is_used():
    assert cost_usd("zai-glm-5-2", prompt_tokens=MILLION, completion_tokens=0, cached_tokens=MILLION) == 0.14


def test_tokens_that_have_no_price_make_the_cost_unknown():
    assert cost_usd("mistral-embed", prompt_tokens=MILLION, completion_tokens=0) == 0.1
    assert cost_usd("mistral-embed", prompt_tokens=MILLION, completion_tokens=1) is None
    assert cost_usd("mistral-ocr-latest", prompt_tokens=1, completion_tokens=0) is None


@pytest.mark.parametrize(
    ("model", "amount", "per", "cost"),
    [
        ("mistral-ocr-latest", 3, "1000 pages", 0.012),
        ("mistral-ocr-latest", 3, "1000 annotated pages", 0.015),
        ("voxtral-mini-latest", 2, "minute", 0.006),
        ("voxtral-mini-tts-latest", 500, "million characters", 0.008),
        ("mistral-ocr-latest", 3, "minute", None),
        ("voxtral-small-latest", 2, "minute", None),  # whose tokens are priced beside
        ("unheard-of", 3, "1000 pages", None),
    ],
)
def test_pages_minutes_and_characters_have_their_price(model, amount, per, cost):
    assert unit_cost_usd(model, amount, per) == cost


def test_a_regional_endpoint_asks_more_for_a_page():
    plain, regional = (unit_cost_usd("mistral-ocr-latest", 10, "1000 pages", regional=here) for here in (False, True))
    assert plain is not None
    assert regional is not None
    assert regional > plain


def test_a_cost_is_not_noisy():
    assert cost_usd("mistral-small-latest", prompt_tokens=3, completion_tokens=7, cached_tokens=1) == 4.515e-06


@given(st.integers(), st.integers(), st.integers(), st.booleans(), st.booleans(), st.booleans())
def test_a_cost_is_never_negative(prompt, completion, cached, regional, batch, priority):
    cost = cost_usd(
        "mistral-large-4",
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        regional=regional,
        batch=batch,
        priority=priority,
    )

    assert cost is not None
    assert cost >= 0


def test_nothing_is_read_at_import():
    code = "from mistral_mcp.mistral import catalog; raise SystemExit(catalog._catalog.cache_info().currsize)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
