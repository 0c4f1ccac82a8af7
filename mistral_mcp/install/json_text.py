"""Change one member of a JSON text that may hold comments and trailing commas, leaving every other byte unchanged.

Positions are found in a copy of the same length, with blanks for comments and trailing commas; changes are made in the text.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from mistral_mcp.install.lines import newline_of

_DECODER = json.JSONDecoder()
_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\n\r]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


class _Member(NamedTuple):
    name: str
    start: int
    value: int
    end: int


def parse(text: str) -> Any:
    """The data of a JSON text; comments and trailing commas are ignored. Raises ValueError, RecursionError."""
    return json.loads(_plain(text))


def with_member(text: str, path: Sequence[str], value: Any) -> str:
    """The text with the value at that path, whose missing parts are created."""
    at, rest = _reach(text, path)
    for name in reversed(rest[1:]):
        value = {name: value}
    return _put(text, at, rest[0], value, depth=len(path) - len(rest) + 1)


def without_member(text: str, path: Sequence[str]) -> str:
    """The text without the member at that path."""
    at, rest = _reach(text, path)
    members, close = _members(_plain(text), at)
    index = next((index for index, member in enumerate(members) if [member.name] == rest), None)
    if index is None:
        return text
    spans = [(member.start, member.end) for member in members]
    return _without_span(text, spans, index, (at, close))


def with_item(text: str, name: str, item: Any) -> str:
    """The text with one more item in that list, which has some."""
    items, (_, close) = _items(text, name)
    start, end = items[-1]
    lead = _lead(text, start)
    written = json.dumps(item, ensure_ascii=False)
    return _after_last(text, end, close, written, lead, on_one_line=lead is None)


def without_item(text: str, name: str, index: int) -> str:
    """The text without one item of that list."""
    items, around = _items(text, name)
    return _without_span(text, items, index, around)


def _plain(text: str) -> str:
    return _LAST_COMMA.sub(_blank_out, _without_comments(text))


def _without_comments(text: str) -> str:
    return _COMMENT.sub(_blank_out, text)


def _blank_out(found: re.Match[str]) -> str:
    """A string unchanged; anything else as blanks, with its line breaks."""
    if found[0].startswith('"'):
        return found[0]
    return re.sub(r"[^\n\r]", " ", found[0])


def _items(text: str, name: str) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The positions of a list's items, and of its brackets."""
    plain = _plain(text)
    member = _member(plain, _past_blank(plain, 0), name)
    items: list[tuple[int, int]] = []
    if member is None:
        return items, (0, 0)
    place = _past_blank(plain, member.value + 1)
    while plain[place] != "]":
        start = _past_comma(plain, place)
        _, end = _DECODER.raw_decode(plain, start)
        items.append((start, end))
        place = _past_blank(plain, end)
    return items, (member.value, place)


def _reach(text: str, path: Sequence[str]) -> tuple[int, list[str]]:
    """The position of the innermost existing object on the path, and the remaining names."""
    plain = _plain(text)
    at = _past_blank(plain, 0)
    rest = list(path)
    while len(rest) > 1:
        found = _member(plain, at, rest[0])
        if found is None or plain[found.value] != "{":
            break
        at = found.value
        del rest[0]
    return at, rest


def _put(text: str, at: int, name: str, value: Any, depth: int) -> str:
    plain = _plain(text)
    members, close = _members(plain, at)
    newline = newline_of(text)
    unit = (re.search(r"\n([ \t]+)\S", plain) or ["", "  "])[1]
    on_one_line = "\n" not in text[at:close] and (bool(members) or "\n" not in text.strip())
    lead = unit * depth
    if members:
        lead = _lead(text, members[-1].start) or lead

    written = json.dumps(value, ensure_ascii=False)
    if not on_one_line:
        written = json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", newline + lead)
    if found := _member(plain, at, name):
        return text[: found.value] + written + text[found.end :]
    written = f"{json.dumps(name, ensure_ascii=False)}: {written}"
    if members:
        return _after_last(text, members[-1].end, close, written, lead, on_one_line=on_one_line)
    if on_one_line:
        inside = text[at + 1 : close]
        if not inside.strip():
            inside = ""
        return text[: at + 1] + written + inside + text[close:]
    place = _line_end(text, at + 1)
    rest = text[place:close]
    if "\n" not in rest:
        rest += newline + unit * (depth - 1)
    return text[:place] + newline + lead + written + rest + text[close:]


def _after_last(text: str, end: int, close: int, written: str, lead: str | None, *, on_one_line: bool) -> str:
    """The text with `written` after the last member: behind a trailing comma and a comment on that line, which are kept."""
    if on_one_line:
        return f"{text[:end]}, {written}{text[end:]}"
    line = f"{newline_of(text)}{lead}{written}"
    comma = _comma_after(text, end, close)
    if comma is None:
        place = _line_end(text, end)
        return f"{text[:end]},{text[end:place]}{line}{text[place:]}"
    place = _line_end(text, comma + 1)
    return f"{text[:place]}{line},{text[place:]}"


def _without_span(text: str, spans: list[tuple[int, int]], index: int, around: tuple[int, int]) -> str:
    """The text without one of several spans, its comma, and lines that would become empty. Comments are kept."""
    opening, close = around
    start, end = spans[index]
    comma = _comma_after(text, end, close)
    inside = text[opening + 1 : start] + text[end:close]
    if len(spans) == 1 and not inside.strip(" \t\r\n,") and inside.count("\n") <= 2:  # noqa: PLR2004
        return text[: opening + 1] + text[close:]
    if comma is not None and not text[end:comma].strip():
        end = comma + 1
    elif index > 0:
        before = _comma_after(text, spans[index - 1][1], start)
        if before is not None:
            text = text[:before] + text[before + 1 :]
            start, end = start - 1, end - 1
    elif comma is not None:
        text = text[:comma] + text[comma + 1 :]
    lead = _lead(text, start)
    line_end = _line_end(text, end)
    if lead is not None and not text[end:line_end].strip():
        before = text[: start - len(lead)].removesuffix(newline_of(text))
        return before + text[line_end:]
    blanks = len(text[end:]) - len(text[end:].lstrip(" \t"))
    if index == 0 or lead is not None:
        return text[:start] + text[end + blanks :]
    return text[:start].rstrip(" \t") + text[end:]


def _comma_after(text: str, end: int, close: int) -> int | None:
    """The position of the comma after a value; None if there is none."""
    found = re.match(r"\s*,", _without_comments(text)[end:close])
    if found is None:
        return None
    return end + found.end() - 1


def _line_end(text: str, at: int) -> int:
    """The end of the line if only blanks and comments follow on it; else the position itself."""
    rest = re.match(r"[ \t]*(?=\r?\n|$)", _without_comments(text)[at:])
    if rest is None or any(found.start() < at + rest.end() < found.end() for found in _COMMENT.finditer(text)):
        return at
    return at + rest.end()


def _lead(text: str, at: int) -> str | None:
    """The indentation before a position; None if there is other text on the line."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    if line.strip():
        return None
    return line


def _member(plain: str, at: int, name: str) -> _Member | None:
    """The last member of that name, the one that parsers use."""
    return next((member for member in reversed(_members(plain, at)[0]) if member.name == name), None)


def _members(plain: str, at: int) -> tuple[list[_Member], int]:
    """The members of the object at this position, and the position of its end."""
    members: list[_Member] = []
    place = _past_blank(plain, at + 1)
    while plain[place] != "}":
        start = _past_comma(plain, place)
        name, place = _DECODER.raw_decode(plain, start)
        value = _past_blank(plain, _past_blank(plain, place) + 1)
        _, end = _DECODER.raw_decode(plain, value)
        members.append(_Member(name, start, value, end))
        place = _past_blank(plain, end)
    return members, place


def _past_comma(text: str, at: int) -> int:
    """The position of the next value, after a comma, if any."""
    return _past_blank(text, at + text.startswith(",", at))


def _past_blank(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip(" \t\n\r"))
