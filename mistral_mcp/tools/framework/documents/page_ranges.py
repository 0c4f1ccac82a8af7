"""Page ranges of a document, as in `0-5,9`, from 0."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, cast

from pydantic import BeforeValidator, WithJsonSchema

MAX_PAGES = 1_000
"""Mistral's limit for a document."""

MAX_CHARACTERS = 5_000

_RANGES = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*")


def parse_pages(pages: object) -> list[int]:
    """The page numbers, in the order given, each once. Raises `ValueError`."""
    if isinstance(pages, list):
        pages = ",".join(map(str, cast("list[object]", pages[: MAX_PAGES + 1])))
    text = re.sub(r"[\[\]\s]", "", str(pages)[:MAX_CHARACTERS])
    if not _RANGES.fullmatch(text):
        raise ValueError("pages are numbers and ranges, such as 0,2-4")
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        span = range(int(first), int(last or first) + 1)
        if not span:
            raise ValueError("a range of pages begins with the smaller number, such as 2-4")
        numbers += span
    return list(dict.fromkeys(islice(numbers, MAX_PAGES)))


Pages = Annotated[list[int], BeforeValidator(parse_pages), WithJsonSchema({"type": "string"})]
"""Pages as an argument."""


def format_pages(numbers: Iterable[int]) -> str:
    """`2-5,9`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ",".join("-".join(map(str, span)) for span in spans)
