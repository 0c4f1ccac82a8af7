"""Explains invalid arguments in plain words, without quoting values."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mistral_mcp.errors import BadArgument
from mistral_mcp.masking import Mask
from mistral_mcp.suggest import nearest

MAX_PROBLEMS = 4
_NAME = 64  # characters shown of a caller's name
_MASKED = 1_000  # characters of it that are searched for secrets


def refusal(problems: list[str]) -> BadArgument:
    """The error for problems with arguments: at most four are named."""
    return BadArgument(f"{'; '.join(problems[:MAX_PROBLEMS])}.", "Correct the arguments and call again.")


def explain(error: ValidationError, mask: Mask) -> list[str]:
    """A phrase for each parameter that pydantic refused."""
    details = error.errors(include_url=False, include_input=False)
    # A union reports an error for each arm: one for each parameter is enough.
    first: dict[int | str, ErrorDetails] = {}
    for detail in details:
        first.setdefault(detail["loc"][0], detail)
    return [_phrase(detail, mask) for detail in first.values()]


def unknown_arguments(names: Iterable[str], known: list[str], mask: Mask) -> list[str]:
    """A phrase for each unknown name; the known ones are listed once, if none is similar."""
    problems: list[str] = []
    if known:
        hint = f" (known are {', '.join(known)})"
    else:
        hint = " (it takes none)"
    for name in islice(names, MAX_PROBLEMS):
        shown = mask.text(name[:_MASKED])[:_NAME]
        if meant := nearest(name, known):
            problems.append(f"unknown argument {shown!r} (did you mean {meant}?)")
        else:
            problems.append(f"unknown argument {shown!r}{hint}")
            hint = ""
    return problems


def _phrase(detail: ErrorDetails, mask: Mask) -> str:
    where = mask.text(_path(detail["loc"]))[:_NAME]
    what = _what(detail["type"], detail.get("ctx", {}))
    if what is None:
        message = detail["msg"].removeprefix("Value error, ")
        return f"{where}: {message[:1].lower()}{message[1:]}"
    return f"{where} {what}"


def _path(location: tuple[int | str, ...]) -> str:
    """`messages[0].content`: without the names of a union's arms, which mean nothing to a caller."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not _is_arm(part):
            path += f".{part}" if path else part
    return path


def _is_arm(part: str) -> bool:
    return "[" in part or part in {"str", "int", "float", "bool", "dict", "list"} or part[:1].isupper()


def _what(kind: str, facts: dict[str, Any]) -> str | None:
    """The phrase for one of pydantic's kinds of errors; None for errors with a message of ours."""
    if kind in {"too_short", "string_too_short"} and facts["min_length"] == 1:
        return "is empty"
    if kind == "literal_error":
        return f"must be {str(facts['expected']).replace(chr(39), '')}"
    words = _WORDS.get(kind)
    if words:
        return words.format_map(facts)
    return None


_TEXT, _INTEGER, _NUMBER, _BOOLEAN = (
    "must be text",
    "must be a whole number",
    "must be a number",
    "must be true or false",
)
_LIST, _OBJECT = "must be a list", "must be an object"

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "string_type": _TEXT,
    "string_unicode": "must be text without lone surrogates",
    "string_pattern_mismatch": "has the wrong format",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": "is too large",
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "invalid_key": "must have text for names",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "too_short": "needs at least {min_length:,} items",
    "too_long": "has more than {max_length:,} items",
    "string_too_short": "needs at least {min_length:,} characters",
    "string_too_long": "is longer than {max_length:,} characters",
}
