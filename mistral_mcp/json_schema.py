"""A caller's own JSON schema, and JSON that a model wrote: checked here, whatever they are.

Both come from strangers and are checked on the event loop. `jsonschema` checks, by the draft that the schema names or
else 2020-12, and what it leaves open is closed here. Nothing is fetched: references must lead into the schema itself. And
a check ends: each keyword pays for what it looks at out of a fixed number of steps, what a reference leads to is looked at
once per value, and `jsonschema-rs` searches for regular expressions, because it can be bounded.

`format` and `content…` are annotations. Refused are `$dynamicRef` and `$recursiveRef` beside a nested `$id`, and
`patternProperties` with `unevaluatedProperties`, where the library would search by itself.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib import import_module
from itertools import islice
from time import thread_time
from typing import Any

from pydantic import JsonValue

from mistral_mcp.errors import BadArgument

MAX_CHARACTERS = 100_000  # of a schema, serialized
MAX_DEPTH = 60  # of a schema
MAX_OBJECTS = 5_000  # in a schema
MAX_PATTERNS = 8 << 20  # bytes, all patterns of a schema, compiled
MAX_JSON_DEPTH = 200  # of what a model wrote
MAX_NESTED = 130  # keywords; each takes four or five frames of a thousand, and at the last `rpds` would panic
STEPS = 100_000  # of a check; half a second
STEP = 5e-6  # seconds, about
KEPT = 10  # errors of a value behind a reference
SHOWN = 120  # characters of a path or an expected value

_DRAFTS = {"draft-04": "4", "draft-06": "6", "draft-07": "7", "draft/2019-09": "201909", "draft/2020-12": "202012"}
_REFERENCES = {"$ref", "$dynamicRef", "$recursiveRef"}
_TOO_DEEP = "$: cannot be checked, because it is nested too deeply"

Path = tuple[str | int, ...]


def parse_json(text: str) -> JsonValue:
    """The JSON in `text`. ValueError, too, for NaN, Infinity and numbers as large, for half a surrogate pair, and for
    what is nested too deeply to be handled.
    """
    try:
        value: JsonValue = json.loads(text, parse_constant=_finite, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair is no text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper_than(MAX_JSON_DEPTH, value):
        raise ValueError("nested too deeply")
    return value


def json_in(text: str) -> JsonValue:
    """The JSON that a model answered with, bare or in one Markdown fence; ValueError if there is anything beside it."""
    body = text.strip()
    if len(body) >= len("``````") and body.startswith("```") and body.endswith("```"):
        body = body[3:-3]
        body = body[4:] if body[:4].lower() == "json" else body
    return parse_json(body)


class CallerSchema:
    """A schema of the caller's. Making one raises BadArgument, which names `where`, the argument it came in."""

    def __init__(self, schema: Mapping[str, JsonValue], *, where: str) -> None:
        self._where, self._root = where, dict[str, JsonValue]()
        self._patterns: dict[str, _Pattern] = {}
        try:
            text = json.dumps(dict(schema), allow_nan=False, sort_keys=True)  # `unevaluated…` after what it builds on
            self._root = json.loads(text)
        except (RecursionError, TypeError, ValueError):
            raise self._refusal("is not JSON, or nested too deeply") from None
        if len(text) > MAX_CHARACTERS or text.count("{") > MAX_OBJECTS or _deeper_than(MAX_DEPTH, self._root):
            limits = f"{MAX_CHARACTERS:,} characters, {MAX_OBJECTS:,} objects, {MAX_DEPTH} levels"
            raise self._refusal(f"is larger than {limits}")
        if '"patternProperties": ' in text and '"unevaluatedProperties": ' in text:
            raise self._refusal("has both patternProperties and unevaluatedProperties")
        self._validator = self._prepared()
        if self._checked(None, 1, steps=1_000) == [_TOO_DEEP]:
            raise self._refusal("refers to itself without end")

    def errors(self, instance: JsonValue, limit: int = 10) -> list[str]:
        """What is wrong with `instance`: sentences that begin with a path and repeat no value; empty if it is valid.

        What cannot be checked within the bounds is not valid, and the sentence says so.
        """
        return self._checked(instance, max(limit, 1), STEPS)

    def _checked(self, instance: JsonValue, limit: int, steps: int) -> list[str]:
        running = _check.set(_Check(self._patterns, steps))
        try:
            errors = list[Any](islice(self._validator.iter_errors(instance), limit))
        except _TooMuchWork:
            return ["$: cannot be checked, because it is too large for this schema"]
        except RecursionError:
            return [_TOO_DEEP]
        except Exception:  # noqa: BLE001 - the library stumbles over some schemas, valid but odd
            return ["$: cannot be checked against this schema"]
        finally:
            _check.reset(running)
        return list(dict.fromkeys(sentence for error in errors for sentence in _told(error)))[:limit]

    def _prepared(self) -> Any:
        """The library's validator, after a look at all that it can come across."""
        import jsonschema_rs  # noqa: PLC0415 - this library, and those below: most servers meet no schema

        named = str(self._root.get("$schema"))
        draft = next((draft for draft in _DRAFTS if f"json-schema.org/{draft}/schema" in named), "draft/2020-12")
        dialect = f"{'https' if '/' in draft else 'http'}://json-schema.org/{draft}/schema"
        try:
            # Spelled out, because an unknown dialect would be fetched. `jsonschema` would take seconds for 100 kB.
            jsonschema_rs.meta.validate({**self._root, "$schema": dialect})
        except ValueError as error:
            path = tuple(error.instance_path) if isinstance(error, jsonschema_rs.ValidationError) else ()
            raise self._refusal("is not a valid JSON schema", path=path) from None
        referencing, validator = import_module("referencing"), _validator(draft)
        resource: Any = import_module("referencing.jsonschema").specification_with(dialect).create_resource
        schema, seen = self._root, set[int]()
        try:
            base = resource(schema).id() or ""
            registry = referencing.Registry().with_resource(base, resource(schema)).crawl()
            pending: list[Any] = [(schema, registry.resolver(base))]
            while pending:
                schema, resolver = pending.pop()
                if isinstance(schema, bool) or id(schema) in seen:
                    continue
                seen.add(id(schema))
                self._compile(schema)
                references = validator.VALIDATORS.keys() & schema.keys() & _REFERENCES
                if len(registry) > 1 and references - {"$ref"}:
                    raise self._refusal("has a $dynamicRef or $recursiveRef beside a nested $id", schema)
                pending += [(each.contents, resolver.in_subresource(each)) for each in resource(schema).subresources()]
                for target in [resolver.lookup(schema[key]) for key in references]:
                    if id(target.contents) not in seen and not isinstance(target.contents, bool):
                        jsonschema_rs.meta.validate({**target.contents, "$schema": dialect})
                    pending.append((target.contents, target.resolver))
        except (referencing.exceptions.Unresolvable, AttributeError, TypeError, ValueError):
            raise self._refusal("has a reference, $id or dependencies that lead to no schema in it", schema) from None
        return validator(self._root, registry=registry)

    def _compile(self, schema: dict[str, Any]) -> None:
        for pattern in {*schema.get("patternProperties", ()), schema.get("pattern", "")} - self._patterns.keys():
            try:
                room = MAX_PATTERNS - sum(known.size for known in self._patterns.values())
                self._patterns[pattern] = _Pattern(pattern, room)
            except ValueError:
                raise self._refusal("has a pattern that cannot be checked", schema) from None

    def _refusal(self, what: str, culprit: JsonValue = None, path: Path = ()) -> BadArgument:
        if isinstance(culprit, dict):
            path = next((path for path, value in _places(self._root) if value is culprit), ())
        return BadArgument(f"{self._where} {what}{f', at {_path(path)}' if path else ''}.", "Mend the schema.")


class _TooMuchWork(Exception):
    pass


class _Pattern:
    """Searched for in linear time or, if that cannot be, with a few steps back. ValueError if it is no regular expression
    or takes more than `room` bytes.
    """

    def __init__(self, pattern: str, room: int) -> None:
        import jsonschema_rs  # noqa: PLC0415 - as above

        self._out_of_steps = jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded
        few_steps_back = jsonschema_rs.FancyRegexOptions(
            backtrack_limit=1_000, size_limit=1 << 16, dfa_size_limit=1 << 18
        )
        sizes = (1 << 13, 1 << 15, 1 << 17, 1 << 20)
        linear = [(size, False, jsonschema_rs.RegexOptions(size, 4 * size)) for size in sizes]
        several = (1 + pattern.count("(")) << 16  # any group may be a lookaround, which is compiled by itself
        for self.size, self._backs, options in [*linear, (several, True, few_steps_back)]:
            with suppress(jsonschema_rs.ValidationError):
                if self.size <= room:
                    self._search = jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options)
                    return
        raise ValueError(pattern)

    def is_in(self, text: str) -> bool:
        """A search pays for the time it took; it is not begun if, as measured at worst, it could take too long."""
        length, check = len(text), _check.get()
        if length * self.size // 40_000 * (1 + self._backs * length // 10) > STEPS:
            raise _TooMuchWork
        started = thread_time()
        error = next(self._search.iter_errors(text.encode("utf-8", "replace").decode()), None)
        check.spend(2 + int((thread_time() - started) / STEP))
        if error and isinstance(error.kind, self._out_of_steps):
            raise _TooMuchWork
        return error is None


@dataclass
class _Check:
    patterns: dict[str, _Pattern]
    left: int
    weight: int = 1
    nested: int = 0
    outcomes: dict[tuple[int, int], list[Any]] = field(default_factory=dict[tuple[int, int], list[Any]])
    """The errors behind a reference, by the ids of the schema that it stands in and of the value: both outlive this."""

    def spend(self, steps: int) -> None:
        self.left -= steps * self.weight
        if self.left < 0:
            raise _TooMuchWork


# The check that runs. The library makes its validators anew for every subschema, so they cannot carry it.
_check = ContextVar[_Check]("_check")


# The library calls what follows. `validator: Any` is one of its own, of an untyped class.

_Errors = Iterator[Any]
_Keyword = Callable[[Any, Any, Any, Any], _Errors]


@cache
def _validator(draft: str) -> Any:
    """The library's class for a draft, bounded; made once, because that takes a millisecond."""
    jsonschema = import_module("jsonschema")
    library = getattr(jsonschema, f"Draft{_DRAFTS[draft]}Validator")
    keywords: dict[str, _Keyword] = {**library.VALIDATORS}
    keywords |= {name: _OWN[name] for name in _OWN.keys() & keywords.keys()}
    keywords = {name: _metered(name, keyword) for name, keyword in keywords.items()}
    keywords |= {name: _once(keywords[name]) for name in _REFERENCES & keywords.keys()}
    bounded = jsonschema.validators.extend(library, keywords)
    plain = import_module("attrs").evolve

    def evolve(validator: Any, **changes: Any) -> Any:
        _check.get().spend(1 + _size(changes["schema"]) // 8)
        return plain(validator, **changes)

    bounded.evolve = evolve  # the library's own would follow a nested `$schema` to a class without bounds
    return bounded


def _metered(name: str, keyword: _Keyword) -> _Keyword:
    def metered(validator: Any, expected: Any, value: Any, schema: Any) -> _Errors:
        check, size = _check.get(), _size(value)
        check.spend(1 + (_size(expected) + size) // 8)
        if name in {"const", "enum"} and size:
            check.spend(len(json.dumps(value)) * (_size(expected) if name == "enum" else 1) // 50)
        elif name == "contains":
            check.spend(size)
        check.nested += 1
        if check.nested > MAX_NESTED:
            raise RecursionError
        try:
            errors = keyword(validator, expected, value, schema) or ()
            if name.startswith("unevaluated"):  # what was evaluated becomes a list, in which each item is searched for
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

    return metered


def _once(keyword: _Keyword) -> _Keyword:
    def once(validator: Any, reference: Any, value: Any, schema: Any) -> _Errors:
        outcomes, pair = _check.get().outcomes, (id(schema), id(value))
        if pair not in outcomes:
            outcomes[pair] = list(islice(keyword(validator, reference, value, schema), KEPT))
        yield from (error.create_from(error) for error in outcomes[pair])  # copies, because each gets its own path

    return once


def _fault(*at: str) -> Any:
    return import_module("jsonschema").ValidationError("", path=at)


def _pattern(validator: Any, pattern: str, value: Any, _schema: Any) -> _Errors:
    if validator.is_type(value, "string") and not _check.get().patterns[pattern].is_in(value):
        yield _fault()


def _pattern_properties(validator: Any, schemas: dict[str, Any], value: Any, _schema: Any) -> _Errors:
    for pattern, schema in schemas.items() if validator.is_type(value, "object") else ():
        for name in filter(_check.get().patterns[pattern].is_in, value):
            yield from _in_property(validator, schema, value, name)


def _additional_properties(validator: Any, additional: Any, value: Any, schema: dict[str, Any]) -> _Errors:
    patterns = [_check.get().patterns[pattern] for pattern in schema.get("patternProperties", ())]
    for name in value if validator.is_type(value, "object") else ():
        if name not in schema.get("properties", {}) and not any(pattern.is_in(name) for pattern in patterns):
            yield from _in_property(validator, additional, value, name)


def _in_property(validator: Any, schema: Any, value: dict[str, JsonValue], name: str) -> _Errors:
    return iter([_fault(name)]) if schema is False else validator.descend(value[name], schema, name, name)


def _property_names(validator: Any, names: Any, value: Any, _schema: Any) -> _Errors:
    for name in value if validator.is_type(value, "object") else ():
        if not validator.evolve(schema=names).is_valid(name):
            yield _fault(name)


def _unique_items(validator: Any, unique: bool, value: Any, _schema: Any) -> _Errors:
    if unique and validator.is_type(value, "array"):
        _check.get().spend(len(value))
        keys = [_key(item) for item in value]
        _check.get().spend(sum(map(len, keys)) // 15)
        if len(set(keys)) < len(keys):
            yield _fault()


def _multiple_of(validator: Any, of: float, value: Any, _schema: Any) -> _Errors:
    """In decimals, as JSON is written: 0.3 is a multiple of 0.1."""
    _check.get().spend(5)
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

# Keywords of which the library's message tells more than their value, and nothing of the checked one but names.
_TELLING = {"required", "dependentRequired", "dependencies", "unevaluatedProperties"}


def _told(error: Any, above: Path = ()) -> Iterator[str]:
    """Of several alternatives the one that was meant says what is wrong, if only one can have been meant."""
    path = (*above, *error.relative_path)
    arms: dict[int, list[Any]] = {}
    for fault in error.context:
        if fault.relative_schema_path:  # not of an alternative that is just false
            arms.setdefault(fault.relative_schema_path[0], []).append(fault)
    meant = [arm for arm in arms.values() if not any(map(_is_foreign, arm))]
    if len(meant) == 1:
        for fault in meant[0]:
            yield from _told(fault, path)
    elif error.context:
        yield f"{_path(path)}: fits none of {len(error.validator_value)} alternatives"
    elif error.validator is None:
        yield f"{_path(path)}: has something that is not allowed"
    elif error.validator in _TELLING:
        yield f"{_path(path)}: {error.message}"
    else:
        yield f"{_path(path)}: does not fit {_cut(json.dumps({error.validator: error.validator_value}))}"


def _is_foreign(error: Any) -> bool:
    """The value, or its tag as in `kind: {const: …}`, is another one altogether."""
    return len(error.path) <= {None: 0, "type": 0, "const": 1, "enum": 1}.get(error.validator, -1)


def _key(value: JsonValue) -> str:
    """One text for all equal values, and only for them: 1.0 is 1, and true is not."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{json.dumps(name)}:{_key(item)}" for name, item in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_key, value)) + "]"
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _size(value: Any) -> int:
    return 0 if value is None or isinstance(value, str | int | float) else len(value)


def _places(value: JsonValue, path: Path = ()) -> Iterator[tuple[Path, JsonValue]]:
    yield path, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(item, (*path, key))


def _path(path: Path) -> str:
    plain = [isinstance(step, str) and step.removeprefix("$").isidentifier() for step in path]
    steps = (f".{step}" if is_plain else f"[{json.dumps(step)}]" for step, is_plain in zip(path, plain, strict=True))
    return _cut("$" + "".join(steps))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _deeper_than(limit: int, value: JsonValue) -> bool:
    level = [value]
    for _ in range(limit):
        groups = [item.values() if isinstance(item, dict) else item if isinstance(item, list) else () for item in level]
        level = [item for group in groups for item in group]
    return any(isinstance(item, dict | list) for item in level)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{_cut(text)} is not a JSON number")
    return number
