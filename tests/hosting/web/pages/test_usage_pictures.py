"""Charts of usage on `/manage`: their figures, the tables with the same figures, and the budgets beside them."""

import re
from datetime import UTC, datetime
from html import unescape
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from mistral_mcp.hosting.web.pages.languages import format_day
from mistral_mcp.hosting.web.pages.usage_pictures import WIDTH, draw, format_dollars
from mistral_mcp.usage.answer import NO_LIMITS, UsageAnswer, next_day, next_month, usage_answer
from mistral_mcp.usage.sums import DOLLAR, Key, Sums
from tests.conftest import KEY, connect_to

HERE = {"sec-fetch-site": "same-origin"}
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def answer_of(*used: tuple[int, str, int, float]) -> UsageAnswer:
    """Of days, models, calls and dollars."""
    rows = {
        Key(f"2026-11-{day:02}", "mistral_chat", model): Sums(calls=calls, cost=round(dollars * DOLLAR))
        for day, model, calls, dollars in used
    }
    return usage_answer(rows, NO_LIMITS, NOW)


def test_a_bar_is_as_high_as_its_days_cost() -> None:
    pictures = draw(answer_of((1, "small", 5, 0.5), (3, "small", 1, 1.0), (20, "small", 9, 0.25)), "en")
    high = {int(bar.name[-2:]): bar.height for bar in pictures.days.bars if bar.name}

    assert pictures.shows_cost
    assert pictures.days.highest == "1.00 USD"
    assert high[1] == pytest.approx(high[3] / 2)
    assert high[20] == pytest.approx(high[3] / 4)
    assert len(pictures.days.bars) == 20
    assert [bar.label for bar in pictures.days.bars if bar.label] == ["1", "5", "10", "15", "20"]


def test_bars_stay_within_the_picture_and_apart() -> None:
    for last in (1, 9, 30):
        used = [(day, f"model {day}", day, day / 7) for day in range(1, last + 1)]
        pictures = draw(answer_of(*used), "en")
        for one, other in pairwise(pictures.days.bars):
            assert one.x + one.width <= other.x
        for bar in pictures.days.bars:
            assert 0 <= bar.y <= bar.y + bar.height <= pictures.days.height
            assert bar.x + bar.width <= WIDTH
        assert all(
            bar.width <= WIDTH and bar.y + bar.height <= pictures.models.height for bar in pictures.models.bars
        )


def test_calls_are_drawn_where_nothing_had_a_price() -> None:
    pictures = draw(answer_of((2, "own", 1200, 0)), "fr")

    assert not pictures.shows_cost
    assert pictures.days.highest == "1\u202f200"


def test_the_most_expensive_models_are_drawn_each_with_its_figure() -> None:
    used = [(1, f"model-{number}", 1, number) for number in range(1, 13)]
    bars = draw(answer_of(*used), "en").models.bars

    assert [bar.name for bar in bars] == [f"model-{number}" for number in range(12, 4, -1)]
    assert bars[0].figure == "12.00 USD"
    assert bars[-1].width == pytest.approx(bars[0].width * 5 / 12, abs=0.1)


@pytest.mark.parametrize(
    ("dollars", "english", "french"),
    [
        (0, "0.00 USD", "0,00 USD"),
        (0.00123, "0.0012 USD", "0,0012 USD"),
        (0.000001, "< 0.0001 USD", "< 0,0001 USD"),
        (1234.5, "1,234.50 USD", "1\u202f234,50 USD"),
    ],
)
def test_dollars_are_written_as_the_language_does(dollars: float, english: str, french: str) -> None:
    assert [format_dollars(dollars, "en"), format_dollars(dollars, "fr")] == [english, french]


async def connect(http: httpx2.AsyncClient) -> str:
    return (await http.post("/connections", json={"api_key": KEY})).json()["url"]


async def manage(http: httpx2.AsyncClient, url: str, **fields: Any) -> httpx2.Response:
    stamp = re.findall(r'name="stamp" value="([^"]+)"', (await http.get("/manage")).text)[0]
    return await http.post("/manage", data={"stamp": stamp, "token": url} | fields, headers=HERE)


async def test_what_was_used_is_shown_as_pictures_and_in_tables(http: httpx2.AsyncClient) -> None:
    url = await connect(http)
    before = (await manage(http, url)).text
    async with connect_to(url, {}) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
        await client.call_tool("mistral_embed", {"inputs": ["Hello"]})
    page = (await manage(http, url)).text
    tables = re.findall(r"(?s)<tbody>(.*?)</tbody>", page)

    assert "No calls yet this month." in before
    assert "<svg" not in before
    assert len(re.findall(r'<svg class="chart"[^>]* role="img" aria-label="[^"]+"', page)) == 2
    assert len(tables) == 2
    assert ">2</td>" in tables[0]
    assert {"mistral-small-latest", "mistral-embed"} == set(re.findall(r'row">([^<]+)<', tables[1]))
    assert "Batches are not counted" in page
    assert not re.search(r"<svg[^>]*\sstyle=|<script(?! src)", page)


async def test_budgets_are_set_and_taken_away_and_what_is_left_is_said(http: httpx2.AsyncClient) -> None:
    url = await connect(http)
    change = {"do": "change", "preset": "keep", "expires_in_days": "keep"}
    given = unescape((await manage(http, url, **change, budget_usd="2,50", budget_calls_per_day="100")).text)
    taken = unescape((await manage(http, url, **change, budget_usd="", budget_calls_per_day="")).text)

    until = dict(re.findall(r"([^<>\s]+) left of [^;]+; begins anew on ([^<]+)<", given.replace(" USD", "")))
    now = datetime.now(UTC)
    assert until == {"2.50": format_day(next_month(now), "en"), "100": format_day(next_day(now), "en")}
    assert 'name="budget_usd" maxlength="12" value="2.5"' in given
    assert "left of" not in taken


async def test_a_budget_that_is_none_is_said_and_changes_nothing(http: httpx2.AsyncClient) -> None:
    url = await connect(http)
    answer = await manage(http, url, do="change", preset="keep", expires_in_days="keep", budget_usd="much")

    assert answer.status_code == 422
    assert "A budget is an amount of US dollars" in answer.text
    assert "left of" not in answer.text
