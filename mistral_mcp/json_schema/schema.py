"""Validates a model's JSON against a caller's schema, within bounds whatever they hold.

Neither is trusted. `jsonschema` does the checks, by the draft that the schema names or else 2020-12, and what it leaves
unbounded is bounded here. Nothing is fetched: references must lead into the schema itself. Every check ends: each keyword
costs steps of a fixed budget, a reference is followed once per value, and `jsonschema-rs` searches regular expressions,
because it can be bounded.

`format` and `content…` are annotations. Refused are `$dynamicRef` and `$recursiveRef` together with a nested `$id`, and
`patternProperties` with `unevaluatedProperties`, where the library would run the regular expressions itself.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from itertools import chain, islice
from typing import Any

from pydantic import JsonValue

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.errors import BadArgument
from mistral_mcp.json_schema.explain import explain
from mistral_mcp.json_schema.keywords import DRAFTS, REFERENCES, bounded_validator
from mistral_mcp.json_schema.patterns import MAX_CHARACTERS as MAX_PATTERN
from mistral_mcp.json_schema.patterns import MAX_COMPILED, MAX_WEIGHT, Pattern, weight
from mistral_mcp.json_schema.values import Path, deeper_than, places, show_path
from mistral_mcp.json_schema.work import STEPS, Check, TooMuchWork, current_check

MAX_CHARACTERS = 100_000  # of a schema, serialized
MAX_DEPTH = 60  # of a schema
MAX_OBJECTS = 5_000  # in a schema
MAX_TOGETHER = 200_000  # characters of all schemas of a call
_AT_ONCE = 4_000  # characters of a call's schemas that are handled on the event loop

_TOO_DEEP = "$: cannot be checked, because it is nested too deeply"


class CallerSchema:
    """A caller's schema. The constructor raises BadArgument, which names `where`, the argument that holds it."""

    def __init__(self, schema: Mapping[str, JsonValue], *, where: str) -> None:
        self._where, self._root = where, dict[str, JsonValue]()
        self._patterns: dict[str, Pattern] = {}
        self._weight = 0
        try:
            text = json.dumps(
                dict(schema), allow_nan=False, sort_keys=True
            )  # `unevaluated…` after what it builds on
            self._root = json.loads(text)
        except (RecursionError, TypeError, ValueError):
            raise self._refusal("is not JSON, or nested too deeply") from None
        if len(text) > MAX_CHARACTERS or text.count("{") > MAX_OBJECTS or deeper_than(MAX_DEPTH, self._root):
            limits = f"{MAX_CHARACTERS:,} characters, {MAX_OBJECTS:,} objects, {MAX_DEPTH} levels"
            raise self._refusal(f"is larger than {limits}")
        if '"patternProperties": ' in text and '"unevaluatedProperties": ' in text:
            raise self._refusal("has both patternProperties and unevaluatedProperties")
        self._validator = self._prepare()
        if self._check(None, 1, steps=1_000) == [_TOO_DEEP]:
            raise self._refusal("refers to itself without end")

    def errors(self, instance: JsonValue, limit: int = 10) -> list[str]:
        """What is wrong with `instance`: sentences that begin with a path and quote no value; empty if it is valid.

        An instance that cannot be checked within the bounds is invalid, and the sentence says so.
        """
        return self._check(instance, max(limit, 1), STEPS)

    def _check(self, instance: JsonValue, limit: int, steps: int) -> list[str]:
        running = current_check.set(Check(steps, patterns=self._patterns))
        try:
            errors = list[Any](islice(self._validator.iter_errors(instance), limit))
        except TooMuchWork:
            return ["$: cannot be checked, because it is too large for this schema"]
        except RecursionError:
            return [_TOO_DEEP]
        except Exception:  # noqa: BLE001 - the library crashes on some valid but odd schemas
            return ["$: cannot be checked against this schema"]
        finally:
            current_check.reset(running)
        sentences = chain.from_iterable(map(explain, errors))
        return list(dict.fromkeys(sentences))[:limit]

    def _prepare(self) -> Any:
        """The library's validator, after checking everything that it may meet in the schema."""
        import jsonschema_rs  # noqa: PLC0415 - this library, and those below: most servers meet no schema

        named = str(self._root.get("$schema"))
        draft = next((draft for draft in DRAFTS if f"json-schema.org/{draft}/schema" in named), "draft/2020-12")
        scheme = "https" if "/" in draft else "http"
        dialect = f"{scheme}://json-schema.org/{draft}/schema"
        try:
            # Set explicitly, because an unknown dialect would be fetched. `jsonschema` would take seconds for 100 kB.
            jsonschema_rs.meta.validate({**self._root, "$schema": dialect})
        except ValueError as error:
            if isinstance(error, jsonschema_rs.ValidationError):
                path = tuple(error.instance_path)
            else:
                path = ()
            raise self._refusal("is not a valid JSON schema", path=path) from None
        referencing, validator = import_module("referencing"), bounded_validator(draft)
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
                references = validator.VALIDATORS.keys() & schema.keys() & REFERENCES
                if len(registry) > 1 and references - {"$ref"}:
                    raise self._refusal("has a $dynamicRef or $recursiveRef together with a nested $id", schema)
                pending += [
                    (each.contents, resolver.in_subresource(each)) for each in resource(schema).subresources()
                ]
                for target in [resolver.lookup(schema[key]) for key in references]:
                    if id(target.contents) not in seen and not isinstance(target.contents, bool):
                        jsonschema_rs.meta.validate({**target.contents, "$schema": dialect})
                    pending.append((target.contents, target.resolver))
        except (referencing.exceptions.Unresolvable, AttributeError, TypeError, ValueError):
            raise self._refusal(
                "has a reference, $id or dependencies that lead to no schema in it", schema
            ) from None
        return validator(self._root, registry=registry)

    def _compile(self, schema: dict[str, Any]) -> None:
        for pattern in {*schema.get("patternProperties", ()), schema.get("pattern", "")} - self._patterns.keys():
            self._weight += weight(pattern[:MAX_PATTERN])
            if len(pattern) > MAX_PATTERN or self._weight > MAX_WEIGHT:
                raise self._refusal("has a pattern that cannot be checked", schema)
            try:
                room = MAX_COMPILED - sum(known.size for known in self._patterns.values())
                self._patterns[pattern] = Pattern(pattern, room)
            except ValueError:
                raise self._refusal("has a pattern that cannot be checked", schema) from None

    def _refusal(self, what: str, culprit: JsonValue = None, path: Path = ()) -> BadArgument:
        if isinstance(culprit, dict):
            path = next((path for path, value in places(self._root) if value is culprit), ())
        place = f", at {show_path(path)}" if path else ""
        return BadArgument(f"{self._where} {what}{place}.", "Correct the schema.")


async def compile_schema(schema: Mapping[str, JsonValue], *, where: str) -> CallerSchema:
    """Compile a caller's schema without blocking the event loop. Raises `BadArgument`."""
    [compiled] = await compile_schemas({where: schema})
    return compiled


async def compile_schemas(schemas: Mapping[str, Mapping[str, JsonValue]]) -> list[CallerSchema]:
    """Compile all schemas of a call, by the argument that holds each. Raises `BadArgument`, also if their sum is too large."""
    sizes = {where: _serialized_size(schema, where) for where, schema in schemas.items()}
    if len(sizes) > 1 and sum(sizes.values()) > MAX_TOGETHER:
        raise BadArgument(
            f"The schemas of this call are larger than {MAX_TOGETHER:,} characters together.",
            "Send fewer or smaller ones.",
        )
    if sum(sizes.values()) <= _AT_ONCE:
        return [CallerSchema(schema, where=where) for where, schema in schemas.items()]
    return [await run_heavy(CallerSchema, schema, where=where) for where, schema in schemas.items()]


async def find_errors(schema: CallerSchema, instance: JsonValue) -> list[str]:
    """What is wrong with `instance`, found without blocking the event loop."""
    return await run_heavy(schema.errors, instance)


def _serialized_size(schema: Mapping[str, JsonValue], where: str) -> int:
    try:
        return len(json.dumps(schema))
    except (RecursionError, TypeError, ValueError):
        raise BadArgument(f"{where} is not JSON, or nested too deeply.", "Correct the schema.") from None
