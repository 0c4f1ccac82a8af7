"""The language of a page, and its texts: `texts/en.toml`, `texts/fr.toml`.

A person's choice is in the URL, as `?lang=fr`, and is kept in every link and form; there is no cookie. Without it, the browser's
`Accept-Language` decides.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal, cast

from markupsafe import Markup

from mistral_mcp.http.uploads.problems import read_problems

Language = Literal["en", "fr"]
Texts = Mapping[str, Mapping[str, Markup]]
"""By page, then by name."""

LANGUAGES: tuple[Language, ...] = ("en", "fr")

_FOLDER = Path(__file__).parent / "texts"
_MOST_PREFERENCES = 20
_PREFERENCE = re.compile(r"\s*([a-z]{1,8})(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_SPACED = re.compile(r" (?=[:;?!»])")


def choose_language(accepted: str, asked: str) -> Language:
    """The requested language, else the browser's preference, else English."""
    if asked in LANGUAGES:
        return asked
    weights: dict[Language, float] = {}
    for part in accepted.lower().split(",")[:_MOST_PREFERENCES]:
        found = _PREFERENCE.fullmatch(part)
        if found and found[1] in LANGUAGES:
            language = cast("Language", found[1])
            weights[language] = max(weights.get(language, 0.0), float(found[2] or 1))
    if any(weights.values()):
        return max(weights, key=lambda language: weights[language])
    return "en"


def other_language(language: Language) -> Language:
    return "fr" if language == "en" else "en"


def bind_punctuation(text: str, language: Language) -> str:
    """In French, use no-break spaces before these signs."""
    if language == "fr":
        return _SPACED.sub("\u00a0", text)
    return text


@cache
def read_texts(language: Language) -> Texts:
    """The texts, which are trusted HTML; values filled in with `format` are escaped."""
    import tomllib  # noqa: PLC0415 - only pages need it, and many servers show none

    pages = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    pages["common"]["language"] = pages.pop("language")
    pages["problems"] = {**read_problems(language), **pages["problems"]}
    return {
        page: {name: Markup(bind_punctuation(text, language)) for name, text in texts.items()}  # noqa: S704 - no input is in them
        for page, texts in pages.items()
    }


def format_day(when: datetime | None, language: Language) -> str:
    common = read_texts(language)["common"]
    if when is None:
        return common["never"]
    month = common["months"].split()[when.month - 1]
    if language == "fr" and when.day == 1:
        return f"1er {month} {when.year}"
    return f"{when.day} {month} {when.year}"


def format_number(number: float, digits: int, language: Language) -> str:
    """With the language's separators."""
    text = f"{number:,.{digits}f}"
    if language == "fr":
        return text.replace(",", "\u202f").replace(".", ",")
    return text
