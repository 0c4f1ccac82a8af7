"""The shape of each parameter, from its JSON Schema: to bound arguments, and to normalise them.

Both happen before pydantic validates. Bounds are checked first, so that nothing large is processed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pydantic_core import from_json

from mistral_mcp.tools.framework.arguments.kinds import is_list, is_object

MAX_TEXT = 8 * 1024 * 1024  # characters, unless a parameter has a lower bound
MAX_ITEMS = 20_000
MAX_MEMBERS = 64  # of an object with known members
MAX_VALUES = 200_000  # in all arguments of a call
MAX_DEPTH = 64
MAX_JSON_TEXT = 1024 * 1024  # characters of JSON in a string


@dataclass(frozen=True)
class Shape:
    """What one value may be. `items` and `members` are None if anything is allowed."""

    types: frozenset[str]
    max_length: int = MAX_TEXT
    max_items: int = MAX_ITEMS
    items: "Shape | None" = None
    members: "Mapping[str, Shape] | None" = None
    required: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, schema: dict[str, Any], definitions: dict[str, Any]) -> "Shape":
        """The shape of a schema made by pydantic; several alternatives are merged."""
        arms = list(_arms(schema, definitions))
        merged: dict[str, Any] = {}
        for arm in arms:
            merged |= {key: value for key, value in arm.items() if key not in merged}
        items, members = merged.get("items"), merged.get("properties")
        return cls(
            types=frozenset(str(arm["type"]) for arm in arms if "type" in arm),
            max_length=max([arm["maxLength"] for arm in arms if "maxLength" in arm], default=MAX_TEXT),
            max_items=max([arm["maxItems"] for arm in arms if "maxItems" in arm], default=MAX_ITEMS),
            items=cls.of(items, definitions) if items else None,
            members={name: cls.of(member, definitions) for name, member in members.items()} if members else None,
            required=frozenset(merged.get("required", ())),
        )


def _arms(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from _arms(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    elif "anyOf" in schema:
        for arm in schema["anyOf"]:
            yield from _arms(arm, definitions)
    else:
        yield schema


Container = dict[Any, Any] | list[Any]


def is_not_given(value: object) -> bool:
    """Whether a value means *not given* for an optional parameter."""
    return value is None or value in ("", [], {})


def read(given: Any, shape: Shape) -> Any:
    """The normalised value: a string of JSON is parsed, one value becomes a list, empty members are dropped."""
    value = given
    if isinstance(given, str) and "string" not in shape.types:
        value = _parse(given, shape)
    if _is_single(value) and "array" in shape.types and not shape.types & {"string", "object"}:
        value = [value]
    if _is_integer(value) and "string" in shape.types and not shape.types & {"integer", "number"}:
        return str(value)
    if is_list(value) and shape.items is not None:
        return [read(item, shape.items) for item in value]
    if is_object(value) and shape.members is not None:
        return read_members(value, shape)
    return value


def _is_single(value: object) -> bool:
    return value is not None and not isinstance(value, list)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_members(values: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """The members of an object, without optional ones that are empty."""
    members = shape.members or {}
    meant: dict[str, Any] = {}
    for name, value in values.items():
        known = members.get(name)
        if known is None:
            meant[name] = value
        elif name in shape.required:
            meant |= {} if value is None else {name: read(value, known)}
        elif not is_not_given(value) and not is_not_given(read_value := read(value, known)):
            meant[name] = read_value
    return meant


def _parse(text: str, shape: Shape) -> Any:
    """The JSON in a string if the shape takes an array or object and it begins like one; else the string."""
    begins = text.lstrip()[:1]
    wanted = {"[": {"array"}, "{": {"object", "array"}}.get(begins, set[str]())
    if not wanted & shape.types or len(text) > MAX_JSON_TEXT:
        return text
    try:
        return from_json(text)
    except ValueError:
        return text


def excess(arguments: Mapping[str, Any], shape: Shape) -> str | None:
    """What is too large in the arguments, as a clause; None if nothing is."""
    return _Measure().members(arguments, shape, "")


class _Measure:
    """Measures each value once, and stops at the first that is too large."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def members(self, values: Mapping[str, Any], shape: Shape, path: str) -> str | None:
        members = shape.members or {}
        if len(values) > MAX_MEMBERS:
            return f"{path or 'the call'} has more than {MAX_MEMBERS} members"
        for name, value in values.items():
            known = members.get(name)
            where = f"{path}.{name[:MAX_MEMBERS]}".lstrip(".")
            if known is not None:
                problem = self.value(value, known, where)
            else:
                problem = self.free(value, where)
            if problem:
                return problem
        return None

    def value(self, value: Any, shape: Shape, path: str) -> str | None:
        if isinstance(value, str):
            limit = _longest_text(shape)
            if len(value) > limit:
                return f"{path} is longer than {limit:,} characters"
            return None
        if is_list(value):
            return self.items(value, shape, path)
        if is_object(value) and shape.members is not None:
            return self.members(value, shape, path)
        return self.free(value, path)

    def items(self, values: list[Any], shape: Shape, path: str) -> str | None:
        if "array" in shape.types and len(values) > shape.max_items:
            return f"{path} has more than {shape.max_items:,} items"
        if shape.items is None:
            return self.free(values, path)
        self._left -= len(values)
        if self._left < 0:
            return _TOO_MANY
        for index, value in enumerate(values):
            if problem := self.value(value, shape.items, f"{path}[{index}]"):
                return problem
        return None

    def free(self, value: Any, path: str) -> str | None:
        """Check a value of any form: the number of its values, and their depth."""
        level: list[Any] = [value]
        for _ in range(MAX_DEPTH + 1):
            containers: list[Container] = [item for item in level if isinstance(item, dict | list)]
            if not containers:
                return None
            self._left -= sum(map(len, containers))
            if self._left < 0:
                return _TOO_MANY
            level = [*chain.from_iterable(map(_contents, containers))]
        return f"{path} is nested more than {MAX_DEPTH} deep"


def _longest_text(shape: Shape) -> int:
    """In characters. Where a list is wanted, a text may be its one item, or the list as JSON."""
    if shape.items is not None and "string" not in shape.types:
        return max(_longest_text(shape.items), MAX_JSON_TEXT)
    return shape.max_length


_TOO_MANY = f"the arguments hold more than {MAX_VALUES:,} values"


def _contents(container: Container) -> Iterator[Any]:
    return iter(container.values() if isinstance(container, dict) else container)
