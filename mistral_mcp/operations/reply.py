"""Shortens replies for a context: secrets masked, lists cut, and a sentence on how to get the rest."""

import json
import re

from pydantic import JsonValue

from mistral_mcp.masking import MASK
from mistral_mcp.operations.operation import Operation

LONG = 20_000  # characters of JSON in one result, some 6,000 tokens
DEPTH = 100  # levels searched; no reply is that deep

_SECRET = re.compile(
    r"(^|_)(secret|password|api_key|private_key|encryption_key|secret_key|(access|refresh|participant|session|id|auth)_token)$"
)
_HOLDERS = re.compile(r"(^|_)(secret|api_key|authorization|auth_data|credentials)$")
_VALUES = frozenset({"value", "key", "token"})

_SIZES = ("page_size", "pageSize", "limit")
_NEXT = ("page_token", "pageToken", "next_page_token", "cursor", "page", "offset")


def mask_secrets(value: JsonValue) -> JsonValue:
    """Mask the values of members with secret names, such as `client_secret`, at any depth."""
    return _mask(value, within=False, depth=0)


def shorten(operation: Operation, value: JsonValue, size: int = LONG) -> tuple[JsonValue, str]:
    """The reply with its longest list cut so that it fits, and a sentence about the cut; the sentence is empty if it fits
    uncut. The reply is None if it is too long and has no list to cut.
    """
    if _length(value) <= size:
        return value, ""
    if isinstance(value, list):
        items = _first(value, size)
        return (items or None), _sentence(operation, len(items), len(value))
    if isinstance(value, dict):
        lists = {name: member for name, member in value.items() if isinstance(member, list)}
        if lists:
            name = max(lists, key=lambda each: _length(lists[each]))
            room = size - _length({**value, name: []})
            items = _first(lists[name], room)
            if items:
                return {**value, name: items}, _sentence(operation, len(items), len(lists[name]))
    return None, ""


def _mask(value: JsonValue, *, within: bool, depth: int) -> JsonValue:
    if depth > DEPTH:
        return None
    if isinstance(value, list):
        return [_mask(item, within=within, depth=depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, JsonValue] = {}
    for name, member in value.items():
        plain = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
        is_secret = bool(_SECRET.search(plain)) or (within and plain in _VALUES)
        if is_secret and isinstance(member, str) and member:
            out[name] = MASK
        else:
            out[name] = _mask(member, within=within or bool(_HOLDERS.search(plain)), depth=depth + 1)
    return out


def _first(items: list[JsonValue], room: int) -> list[JsonValue]:
    """As many of the first items as there is room for."""
    left = room
    for number, item in enumerate(items):
        left -= _length(item) + 1
        if left < 0:
            return items[:number]
    return items


def _sentence(operation: Operation, shown: int, total: int) -> str:
    names = [each.name for each in operation.parameters] + list(operation.members)
    size = next((name for name in _SIZES if name in names), "")
    following = next((name for name in _NEXT if name in names), "")
    if size:
        hints = [f"a smaller {size}"]
    else:
        hints = []
    hints += [f"{following} for the next"] if following else []
    sentence = f"{shown} of {total} items are shown."
    if hints:
        return f"{sentence} Ask with {' and '.join(hints)}."
    return sentence


def _length(value: JsonValue) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
