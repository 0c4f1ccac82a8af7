"""JSON that a model or a caller wrote: parsed and traversed."""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import JsonValue

MAX_JSON_DEPTH = 200  # of what a model wrote
SHOWN = 120  # characters of a path or an expected value

Path = tuple[str | int, ...]


def parse_json(text: str) -> JsonValue:
    """The JSON in `text`. ValueError also for NaN, Infinity, numbers out of range, lone surrogates, and
    for JSON nested too deeply.
    """
    try:
        value: JsonValue = json.loads(text, parse_constant=_finite, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is not text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if deeper_than(MAX_JSON_DEPTH, value):
        raise ValueError("nested too deeply")
    return value


def json_in(text: str) -> JsonValue:
    """The JSON that a model answered with, bare or in one Markdown fence; ValueError if there is anything else."""
    body = text.strip()
    if len(body) >= len("``````") and body.startswith("```") and body.endswith("```"):
        body = body[3:-3]
        if body[:4].lower() == "json":
            body = body[4:]
    return parse_json(body)


def size_of(value: Any) -> int:
    if value is None or isinstance(value, str | int | float):
        return 0
    return len(value)


def places(value: JsonValue, path: Path = ()) -> Iterator[tuple[Path, JsonValue]]:
    yield path, value
    for key, item in _members(value):
        yield from places(item, (*path, key))


def _members(value: JsonValue) -> Iterable[tuple[str | int, JsonValue]]:
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, list):
        return enumerate(value)
    return ()


def show_path(path: Path) -> str:
    plain = [isinstance(step, str) and step.removeprefix("$").isidentifier() for step in path]
    steps = (
        f".{step}" if is_plain else f"[{json.dumps(step)}]" for step, is_plain in zip(path, plain, strict=True)
    )
    return cut("$" + "".join(steps))


def cut(text: str) -> str:
    if len(text) <= SHOWN:
        return text
    return f"{text[: SHOWN - 1]}…"


def deeper_than(limit: int, value: JsonValue) -> bool:
    level = [value]
    for _ in range(limit):
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
    return any(isinstance(item, dict | list) for item in level)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{cut(text)} is not a JSON number")
    return number
