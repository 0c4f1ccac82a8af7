"""Every operation of the API with its schemas: validation of requests, and the schema of the reply.

Loaded from `operations.json`, which `make operations` compiles, when an operation is first needed.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

import jsonschema_rs

from mistral_mcp.sandbox.protocol.errors import invalid_fields

Schema = Mapping[str, Any]

DEFINITION = "#/$defs/"
MAX_DETAILS = 10


@dataclass(frozen=True, eq=False)
class Operation:
    """A method and a path, and the schemas of requests and replies."""

    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Schema | None
    body_required: bool
    is_form: bool
    replies: tuple[Mapping[str, Any], ...]

    @property
    def prefix(self) -> str:
        """The path without its last part."""
        return self.path.rpartition("/")[0]

    @property
    def last_parameter(self) -> str:
        """The name of the parameter in the last part of the path; empty if that part is not a parameter."""
        last = self.path.rpartition("/")[2]
        if last.startswith("{"):
            return last.strip("{}")
        return ""

    @property
    def status(self) -> int:
        return int(self.replies[0]["status"])

    @cached_property
    def reply(self) -> Schema:
        """The schema of the reply with all definitions it refers to; empty if there is none."""
        return standalone(self.replies[0].get("schema", {}))

    @cached_property
    def reply_validator(self) -> Any:
        return jsonschema_rs.validator_for(dict(self.reply))

    def check_body(self, body: bytes) -> Any:
        """The decoded body, None if there is none. 422 if it does not fit the schema or has unknown members."""
        if self.body is None or (not body and not self.body_required):
            return None

        try:
            value: Any = json.loads(body or b"null")
        except ValueError:
            raise invalid_fields([_detail("json_invalid", ["body", 0], "JSON decode error")]) from None
        self._validate(self._body_validator, value, ["body"])

        top = resolve(self.body)
        if isinstance(value, dict) and "properties" in top and not top.get("additionalProperties"):
            unknown = [name for name in cast("dict[str, Any]", value) if name not in top["properties"]]
            if unknown:
                message = "Extra inputs are not permitted"
                raise invalid_fields([_detail("extra_forbidden", ["body", name], message) for name in unknown])
        return cast("Any", value)

    def check_parameters(self, path: Mapping[str, str], query: Mapping[str, list[str]]) -> None:
        """422 if a parameter is missing or does not fit."""
        for each in self.parameters:
            place, name = str(each["in"]), str(each["name"])
            texts = query.get(name, [])
            if place == "path":
                texts = [path[name]]
            if not texts and each["required"]:
                raise invalid_fields([_detail("missing", [place, name], "Field required")])

            checker = jsonschema_rs.validator_for(dict(standalone(each["schema"])), validate_formats=True)
            if texts and not any(checker.is_valid(value) for value in _interpretations(texts)):
                raise invalid_fields([_detail("value_error", [place, name], "Input should be valid")])

    @cached_property
    def _body_validator(self) -> Any:
        return jsonschema_rs.validator_for(dict(standalone(self.body or {})), validate_formats=True)

    def _validate(self, checker: Any, value: Any, place: list[str]) -> None:
        details = [
            _detail("value_error", [*place, *error.instance_path], error.message[:200])
            for error in list(checker.iter_errors(value))[:MAX_DETAILS]
        ]
        if details:
            raise invalid_fields(details)


@cache
def operations() -> tuple[Operation, ...]:
    """All operations. If two match one path, the one with fewer parameters comes first."""
    found = (
        Operation(
            method=each["method"],
            path=each["path"],
            parameters=tuple(each.get("params", ())),
            body=each.get("body", {}).get("schema"),
            body_required=each.get("body", {}).get("required", False),
            is_form=each.get("body", {}).get("media") == "multipart/form-data",
            replies=tuple(each["replies"]),
        )
        for each in _document()["operations"]
    )
    return tuple(sorted(found, key=lambda each: [part.startswith("{") for part in each.path.split("/")]))


def resolve(schema: Schema) -> Schema:
    """The schema, after following its `$ref`."""
    while "$ref" in schema:
        schema = _definitions()[schema["$ref"].removeprefix(DEFINITION)]
    return schema


def standalone(schema: Schema) -> Schema:
    """The schema with all definitions it refers to, directly or not, in its `$defs`."""
    found: dict[str, Any] = {}
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += cast("list[Any]", node)
        elif isinstance(node, dict):
            members = cast("dict[str, Any]", node)
            name = str(members.get("$ref", "")).removeprefix(DEFINITION)
            if name and name not in found:
                found[name] = _definitions()[name]
                pending.append(found[name])
            pending += members.values()
    if found:
        return {**schema, "$defs": found}
    return schema


@cache
def _document() -> dict[str, Any]:
    return json.loads((Path(__file__).parents[1] / "operations.json").read_text(encoding="utf-8"))


def _definitions() -> dict[str, Any]:
    return _document()["$defs"]


def _interpretations(texts: list[str]) -> list[Any]:
    """The values that a parameter's text may stand for: a string, JSON such as a number or a boolean, or a list of strings."""
    one: list[Any] = [texts[-1]]
    with contextlib.suppress(ValueError):
        one.append(json.loads(texts[-1]))
    return [*one, texts]


def _detail(kind: str, place: list[Any], message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "loc": place,
        "msg": message,
        "input": None,
    }
