"""The library's keywords, each metered; and those that we implement ourselves.

The library calls these functions. `validator: Any` is one of its untyped validators.
"""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from importlib import import_module
from itertools import islice
from typing import Any

from pydantic import JsonValue

from mistral_mcp.json_schema.values import SHOWN, size_of
from mistral_mcp.json_schema.work import current_check

MAX_NESTED = 130  # keywords; each takes four or five frames of a thousand, and at the last `rpds` would panic
KEPT = 10  # errors of a value behind a reference

DRAFTS = {"draft-04": "4", "draft-06": "6", "draft-07": "7", "draft/2019-09": "201909", "draft/2020-12": "202012"}
REFERENCES = {"$ref", "$dynamicRef", "$recursiveRef"}

_Errors = Iterator[Any]
_Keyword = Callable[[Any, Any, Any, Any], _Errors]


@cache
def bounded_validator(draft: str) -> Any:
    """The library's validator class for a draft, with bounds; cached, because building it takes a millisecond."""
    jsonschema = import_module("jsonschema")
    library = getattr(jsonschema, f"Draft{DRAFTS[draft]}Validator")
    keywords: dict[str, _Keyword] = {**library.VALIDATORS}
    keywords |= {name: _OWN[name] for name in _OWN.keys() & keywords.keys()}
    keywords = {name: _meter(name, keyword) for name, keyword in keywords.items()}
    keywords |= {name: _once(keywords[name]) for name in REFERENCES & keywords.keys()}
    bounded = jsonschema.validators.extend(library, keywords)
    plain = import_module("attrs").evolve

    def evolve(validator: Any, **changes: Any) -> Any:
        current_check.get().spend(1 + size_of(changes["schema"]) // 8)
        return plain(validator, **changes)

    bounded.evolve = evolve  # the library's own would switch to an unbounded class for a nested `$schema`
    return bounded


def _meter(name: str, keyword: _Keyword) -> _Keyword:
    def meter(validator: Any, expected: Any, value: Any, schema: Any) -> _Errors:
        check, size = current_check.get(), size_of(value)
        check.spend(1 + (size_of(expected) + size) // 8)
        if name in {"const", "enum"} and size:
            check.spend(len(json.dumps(value)) * (size_of(expected) if name == "enum" else 1) // 50)
        elif name == "contains":
            check.spend(size)
        check.nested += 1
        if check.nested > MAX_NESTED:
            raise RecursionError
        try:
            errors = keyword(validator, expected, value, schema) or ()
            if name.startswith("unevaluated"):  # evaluated items become a list, which is searched for each item
                check.spend(size * size // 200)
                weight, check.weight = check.weight, max(check.weight, 1 + size // 50)
                errors = list(errors)
                check.weight = weight
            for error in errors:
                check.spend(1 + len(error.message) // 500)
                error.message, error.args = error.message[:SHOWN], ()  # a copy of the value, as large as it
                yield error
        finally:
            check.nested -= 1

    return meter


def _once(keyword: _Keyword) -> _Keyword:
    def once(validator: Any, reference: Any, value: Any, schema: Any) -> _Errors:
        outcomes, pair = current_check.get().outcomes, (id(schema), id(value))
        if pair not in outcomes:
            outcomes[pair] = list(islice(keyword(validator, reference, value, schema), KEPT))
        yield from (error.create_from(error) for error in outcomes[pair])  # copies, because each gets its own path

    return once


def _fault(*at: str) -> Any:
    return import_module("jsonschema").ValidationError("", path=at)


def _pattern(validator: Any, pattern: str, value: Any, _schema: Any) -> _Errors:
    if validator.is_type(value, "string") and not current_check.get().patterns[pattern].is_in(value):
        yield _fault()


def _pattern_properties(validator: Any, schemas: dict[str, Any], value: Any, _schema: Any) -> _Errors:
    for pattern, schema in schemas.items() if validator.is_type(value, "object") else ():
        for name in filter(current_check.get().patterns[pattern].is_in, value):
            yield from _in_property(validator, schema, value, name)


def _additional_properties(validator: Any, additional: Any, value: Any, schema: dict[str, Any]) -> _Errors:
    patterns = [current_check.get().patterns[pattern] for pattern in schema.get("patternProperties", ())]
    for name in value if validator.is_type(value, "object") else ():
        if name not in schema.get("properties", {}) and not any(pattern.is_in(name) for pattern in patterns):
            yield from _in_property(validator, additional, value, name)


def _in_property(validator: Any, schema: Any, value: dict[str, JsonValue], name: str) -> _Errors:
    if schema is False:
        return iter([_fault(name)])
    return validator.descend(value[name], schema, name, name)


def _property_names(validator: Any, names: Any, value: Any, _schema: Any) -> _Errors:
    for name in value if validator.is_type(value, "object") else ():
        if not validator.evolve(schema=names).is_valid(name):
            yield _fault(name)


def _unique_items(validator: Any, unique: bool, value: Any, _schema: Any) -> _Errors:
    if unique and validator.is_type(value, "array"):
        current_check.get().spend(len(value))
        keys = [_key(item) for item in value]
        current_check.get().spend(sum(map(len, keys)) // 15)
        if len(set(keys)) < len(keys):
            yield _fault()


def _multiple_of(validator: Any, of: float, value: Any, _schema: Any) -> _Errors:
    """In decimals, as JSON is written: 0.3 is a multiple of 0.1."""
    current_check.get().spend(5)
    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(of)):
        yield _fault()


_OWN: dict[str, _Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "uniqueItems": _unique_items,
    "multipleOf": _multiple_of,
}


def _key(value: JsonValue) -> str:
    """The same text for equal values only: 1.0 equals 1, and true does not."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{json.dumps(name)}:{_key(item)}" for name, item in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_key, value)) + "]"
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
