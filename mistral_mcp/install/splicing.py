"""Change one member of a JSON text, and not a byte of anything else."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


class _Member(NamedTuple):
    name: str
    start: int
    value: int
    end: int


def with_member(text: str, path: Sequence[str], value: Any) -> str:
    """The text with the value at that path, whatever of the path is missing included."""
    at, rest = _reach(text, path)
    for name in reversed(rest[1:]):
        value = {name: value}
    return _put(text, at, rest[0], value, depth=len(path) - len(rest) + 1)


def without_member(text: str, path: Sequence[str]) -> str:
    """The text without the member at that path."""
    at, rest = _reach(text, path)
    members, close = _members(text, at)
    index = next((index for index, member in enumerate(members) if [member.name] == rest), None)
    if index is None:
        return text
    if len(members) == 1:
        start, end = at + 1, close
    elif index == len(members) - 1:
        start, end = members[index - 1].end, members[index].end
    else:
        start, end = members[index].start, members[index + 1].start
    return text[:start] + text[end:]


def with_item(text: str, name: str, item: Any) -> str:
    """The text with one more item in that list, which has some."""
    *_, (start, end) = _items(text, name)
    newline = "\r\n" if "\r\n" in text else "\n"
    lead = _lead(text, start)
    written = json.dumps(item, ensure_ascii=False)
    return text[:end] + (", " if lead is None else f",{newline}{lead}") + written + text[end:]


def without_item(text: str, name: str, index: int) -> str:
    """The text without one item of that list."""
    items = _items(text, name)
    start, end = items[index]
    if index > 0:
        start = items[index - 1][1]
    elif len(items) > 1:
        end = items[1][0]
    return text[:start] + text[end:]


def _items(text: str, name: str) -> list[tuple[int, int]]:
    member = _member(text, _past_blank(text, 0), name)
    items: list[tuple[int, int]] = []
    if member is None:
        return items
    place = _past_blank(text, member.value + 1)
    while text[place] != "]":
        start = _past_blank(text, place + 1) if text[place] == "," else place
        _, end = _DECODER.raw_decode(text, start)
        items.append((start, end))
        place = _past_blank(text, end)
    return items


def only_commented(text: str) -> bool:
    """Whether a text that is no JSON is JSON but for comments and commas before brackets."""
    plain = _LAST_COMMA.sub(_kept, _COMMENT.sub(_kept, text))
    try:
        json.loads(plain)
    except (ValueError, RecursionError):
        return False
    return True


def _kept(found: re.Match[str]) -> str:
    """A string, or nothing."""
    return found[1] or ""


def _reach(text: str, path: Sequence[str]) -> tuple[int, list[str]]:
    """The innermost object there is on the path's way to its last name, and the names that remain."""
    at = _past_blank(text, 0)
    rest = list(path)
    while len(rest) > 1:
        found = _member(text, at, rest[0])
        if found is None or text[found.value] != "{":
            break
        at = found.value
        del rest[0]
    return at, rest


def _put(text: str, at: int, name: str, value: Any, depth: int) -> str:
    members, close = _members(text, at)
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = found[1] if (found := re.search(r"\n([ \t]+)\S", text)) else "  "
    on_one_line = "\n" not in text[at:close] and (bool(members) or "\n" not in text.strip())
    lead = _lead(text, members[-1].start if members else at)
    lead = lead if members and lead is not None else unit * depth

    written = json.dumps(value, ensure_ascii=False, indent=None if on_one_line else unit)
    written = written.replace("\n", newline + lead)
    if found := _member(text, at, name):
        return text[: found.value] + written + text[found.end :]
    written = f"{json.dumps(name, ensure_ascii=False)}: {written}"
    if members:
        between = ", " if on_one_line else f",{newline}{lead}"
        return text[: members[-1].end] + between + written + text[members[-1].end :]
    if on_one_line:
        return text[: at + 1] + written + text[close:]
    return f"{text[: at + 1]}{newline}{lead}{written}{newline}{unit * (depth - 1)}{text[close:]}"


def _lead(text: str, at: int) -> str | None:
    """The blanks before a place, if there is nothing else before it on its line."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line if line.isspace() or not line else None


def _member(text: str, at: int, name: str) -> _Member | None:
    """The last of that name: the one that parsers take."""
    return next((member for member in reversed(_members(text, at)[0]) if member.name == name), None)


def _members(text: str, at: int) -> tuple[list[_Member], int]:
    """The members of the object that opens there, and where it closes."""
    members: list[_Member] = []
    place = _past_blank(text, at + 1)
    while text[place] != "}":
        place = _past_blank(text, place + 1) if text[place] == "," else place
        start = place
        name, place = _DECODER.raw_decode(text, start)
        value = _past_blank(text, _past_blank(text, place) + 1)
        _, end = _DECODER.raw_decode(text, value)
        members.append(_Member(name, start, value, end))
        place = _past_blank(text, end)
    return members, place


def _past_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
