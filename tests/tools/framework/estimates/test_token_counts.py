"""Bounds for tokens, compared with the tokenizer that Mistral publishes."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from mistral_mcp.tools.framework.estimates.token_counts import count_prompt, count_tokens

TEXTS = {
    "english": "The quick brown fox jumps over the lazy dog, and nobody minds. " * 20,
    "french": "L'été dernier, nous avons traversé les Cévennes à pied : quelle idée ! " * 20,
    "russian": "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 20,
    "chinese": "我能吞下玻璃而不伤身体。" * 20,
    "numbers": "3.14159265358979 2718281828 1e-9, " * 20,
    "markup": "<ul>\n    <li class='a'>x</li>\n</ul>\n" * 20,
    "code": Path(__file__).read_text(encoding="utf-8"),
    "emoji": "👩‍🚀🇫🇷 ok " * 20,
    "blanks": " " * 2_000,
    "noise": "qzxv" * 500,
    "empty": "",
}


@pytest.mark.parametrize("name", TEXTS)
async def test_the_real_number_of_tokens_is_within_the_bounds(name: str) -> None:
    tokens = pytest.importorskip(
        "benchmarks.tokens", reason="the benchmarks are not here, or mistral-common is not"
    )

    counted = await count_tokens([TEXTS[name]])

    assert counted.min is not None
    assert counted.max is not None
    assert counted.min <= tokens.count(TEXTS[name]) <= counted.max


async def test_a_long_text_is_counted_in_slices_that_cut_no_word_in_two() -> None:
    text = "word " * 100_000

    counted = await count_tokens([text])

    assert counted.min is not None
    assert 99_980 <= counted.min <= 100_000
    assert counted.max == pytest.approx(len(text), abs=100)


async def test_a_prompt_is_all_that_its_messages_say_and_no_more_than_its_json() -> None:
    messages: JsonValue = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Name four colours"}]},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "paint", "arguments": "{}"}}]},
    ]

    counted = await count_prompt({"messages": messages})

    assert counted.min == 5
    assert counted.max is not None
    assert 150 < counted.max < 400
