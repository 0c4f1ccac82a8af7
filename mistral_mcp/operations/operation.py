"""The catalogue of operations, from the file that `make operations` compiles. Loaded on first use."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, cast

from pydantic_core import from_json

from mistral_mcp.errors import BadArgument
from mistral_mcp.suggest import nearest

Schema = dict[str, Any]
Effect = Literal["read", "compute", "create", "change", "delete"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

READS: frozenset[Effect] = frozenset({"read", "compute"})
"""Effects that store and change nothing at Mistral, though they may cost money."""

_REF = "#/$defs/"


@dataclass(frozen=True)
class Parameter:
    """A parameter in the path or in the query."""

    name: str
    place: Literal["path", "query"]
    required: bool
    schema: Schema


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: a method and a path."""

    id: str
    method: Method
    path: str
    effect: Effect
    summary: str
    parameters: tuple[Parameter, ...]
    body: Schema | None
    body_required: bool
    is_form: bool
    replies: tuple[dict[str, Any], ...]
    """Status, media type and schema of each reply."""
    deprecated: bool
    instead: str
    """The operation that replaced it, if any."""
    watch: str
    """The operation that reports the progress of what this one started, if any."""
    shows: tuple[str, ...]
    """Optional members of the body that belong in an example."""

    @property
    def media(self) -> str:
        """Media type of its usual reply; empty if it has none."""
        if self.replies:
            return self.replies[0].get("media", "")
        return ""

    @property
    def is_json(self) -> bool:
        return self.media in ("", "application/json")

    @property
    def is_stream(self) -> bool:
        """Whether its only reply is a stream of events."""
        return bool(self.replies) and all(reply.get("media") == "text/event-stream" for reply in self.replies)

    @cached_property
    def members(self) -> dict[str, Schema]:
        """The members of the body, by name; empty if it is not a single object."""
        if self.body is None:
            return {}
        return resolve(self.body).get("properties", {})

    @cached_property
    def plain_body(self) -> Schema:
        """The body's schema without `stream`: we do not stream these replies."""
        body = resolve(self.body or {})
        if "stream" not in self.members:
            return body
        return {**body, "properties": {name: each for name, each in self.members.items() if name != "stream"}}

    @cached_property
    def reply(self) -> Schema:
        """The schema of its usual reply; empty if unknown."""
        if self.replies:
            return self.replies[0].get("schema", {})
        return {}


def resolve(schema: Schema) -> Schema:
    """The schema that a reference points to; any other schema unchanged."""
    while "$ref" in schema:
        target = definitions()[schema["$ref"].removeprefix(_REF)]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**target, **rest}
    return schema


def with_definitions(schema: Schema) -> Schema:
    """The schema with all definitions that it refers to."""
    found: dict[str, Schema] = {}
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += cast("list[Any]", node)
        elif isinstance(node, dict):
            members = cast("dict[str, Any]", node)
            name = str(members.get("$ref", "")).removeprefix(_REF)
            if name and name not in found:
                found[name] = definitions()[name]
                pending.append(found[name])
            pending += members.values()
    if found:
        return {**schema, "$defs": found}
    return schema


@cache
def operations() -> dict[str, Operation]:
    """All of them, by id."""
    return {each["id"]: _operation(each) for each in _document()["operations"]}


@cache
def definitions() -> dict[str, Schema]:
    """The schemas that others refer to, by name."""
    return _document()["$defs"]


def find(name: str) -> Operation:
    """The operation with this id, or this method and path. Raises `BadArgument`, which suggests the nearest."""
    known, wanted = operations(), " ".join(name.split())
    if wanted in known:
        return known[wanted]
    spelled = _by_path()
    method, _, path = wanted.partition(" ")
    operation = spelled.get(f"{method.upper()} {path.rstrip('/')}")
    if operation is not None:
        return operation
    if "/" in wanted:
        meant = nearest(wanted, spelled)
    else:
        meant = nearest(wanted.lower(), known)
    if meant:
        hint = f"Did you mean {meant}?"
    else:
        hint = "mistral_api_search finds operations by what they do."
    raise BadArgument("There is no such operation.", hint)


@cache
def _document() -> dict[str, Any]:
    return from_json(Path(__file__).with_name("operations.json").read_bytes())


@cache
def _by_path() -> dict[str, Operation]:
    return {f"{each.method} {each.path}": each for each in operations().values()}


def _operation(given: dict[str, Any]) -> Operation:
    body: dict[str, Any] = given.get("body", {})
    parameters = (
        Parameter(name=each["name"], place=each["in"], required=each["required"], schema=each["schema"])
        for each in given.get("params", ())
    )
    return Operation(
        id=given["id"],
        method=given["method"],
        path=given["path"],
        effect=given["effect"],
        summary=given["summary"],
        parameters=tuple(parameters),
        body=body.get("schema"),
        body_required=body.get("required", False),
        is_form=body.get("media") == "multipart/form-data",
        replies=tuple(given["replies"]),
        deprecated=given.get("deprecated", False) or "instead" in given,
        instead=given.get("instead", ""),
        watch=given.get("watch", ""),
        shows=tuple(given["shows"].split(",")) if "shows" in given else (),
    )
