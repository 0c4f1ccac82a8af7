"""Toolset `api`: search, describe and call every operation of Mistral's API, with four tools."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.transports.routes import carries
from mistral_mcp.operations import arguments, examples, ranking
from mistral_mcp.operations.operation import READS, Effect, Method, Operation, find
from mistral_mcp.operations.outline import outline, part_of
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import KeptResults
from mistral_mcp.tools.framework.operation_calls import OperationResult, call_operation
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result
from mistral_mcp.usage.bounds import Needs

toolset = Toolset()

BODY = 4_800  # characters of a body's schema, some 1,200 tokens
PARAMETERS = 1_200  # characters

Given = dict[str, JsonValue]


class Hit(BaseModel):
    """An operation found by a search."""

    operation: str
    method: Method
    path: str
    summary: str
    effect: Effect
    instead: Maybe[str] = None

    @classmethod
    def of(cls, operation: Operation) -> "Hit":
        return cls(
            operation=operation.id,
            method=operation.method,
            path=operation.path,
            summary=operation.summary,
            effect=operation.effect,
            instead=operation.instead or None,
        )

    def line(self) -> str:
        if self.instead:
            old = f" (old: use {self.instead})"
        else:
            old = ""
        return f"{self.operation} ({self.effect}): {self.summary}{old}"


class Hits(Result):
    """Operations, the best match first."""

    operations: list[Hit]

    def to_text(self) -> str:
        lines = [hit.line() for hit in self.operations]
        return "\n".join(lines) or "Nothing found. Name the thing and what to do with it: list agents."


class Description(Result):
    """The arguments that an operation takes."""

    operation: str
    method: Method
    path: str
    summary: str
    effect: Effect
    parameters: dict[str, Any]
    body: Maybe[dict[str, Any]] = None
    example: Maybe[dict[str, Any]] = None
    notes: list[str]

    def to_text(self) -> str:
        parts = [
            f"{self.operation}: {self.summary}. {self.method} {self.path}, effect {self.effect}.",
            *self.notes,
        ]
        shown = {"parameters": self.parameters, "body": self.body, "example": self.example}
        parts += [f"{name}: {_compact(schema)}" for name, schema in shown.items() if schema]
        return "\n".join(parts)


OperationName = Annotated[str, Field(description="As found: agents.create.", min_length=1, max_length=200)]
Parameters = Annotated[Given | None, Field(description="Of path and query, by name.")]
Body = Annotated[Given | None, Field(description="JSON body. A file is a path, data URL or upload handle.")]


@toolset.tool("Find an operation", effect="reads")
async def mistral_api_search(
    mistral: Mistral,  # noqa: ARG001 - every tool has it first
    query: Annotated[str, Field(description="What to do: share a library.", min_length=1, max_length=500)],
    top_k: Annotated[int, Field(description="At most.", ge=1, le=20)] = 5,
) -> Hits:
    """Start here for anything at Mistral that no other tool does (agents, workflows, connectors, prompts, datasets, …):
    finds operations of the API. Then mistral_api_describe.
    """
    found = await run_heavy(ranking.search, query, top_k)
    return Hits(operations=[Hit.of(operation) for operation in found])


@toolset.tool("Describe an operation", effect="reads")
async def mistral_api_describe(mistral: Mistral, operation: OperationName) -> Description:
    """See what an operation takes, with an example, before calling it."""
    return await run_heavy(_describe, mistral, operation)


async def _find_needs(mistral: Mistral, arguments: Mapping[str, JsonValue]) -> Needs:
    """A body tells more once it is validated."""
    # Brings the estimates of documents, which most servers never need.
    from mistral_mcp.tools.framework.estimates.operations import operation_needs  # noqa: PLC0415

    return await operation_needs(mistral, arguments)


@toolset.tool("Read or compute by an operation", effect="reads", find_needs=_find_needs)
async def mistral_api_read(
    mistral: Mistral,
    kept_results: KeptResults,
    operation: OperationName,
    parameters: Parameters = None,
    body: Body = None,
) -> OperationResult:
    """Call an operation whose effect is read or compute."""
    check = partial(_check, operation, parameters, body, reads=True)
    return await call_operation(mistral, kept_results, *await run_heavy(check))


@toolset.tool("Create, change or delete by an operation", effect="writes", find_needs=_find_needs)
async def mistral_api_write(
    mistral: Mistral,
    kept_results: KeptResults,
    operation: OperationName,
    parameters: Parameters = None,
    body: Body = None,
) -> OperationResult:
    """Call an operation whose effect is create, change or delete."""
    check = partial(_check, operation, parameters, body, reads=False)
    return await call_operation(mistral, kept_results, *await run_heavy(check))


def _describe(mistral: Mistral, operation: str) -> Description:
    name, _, part = operation.partition("#")
    found = find(name)
    if part:
        schema = outline(part_of(found, part), BODY, f"{found.id}#{part}")
        return _description(found, {}, schema, None, [f"This is {part} of the body."])
    if found.body is not None:
        body = outline(found.plain_body, BODY, found.id)
    else:
        body = None
    return _description(found, _parameters(found), body, examples.example(found), _notes(found, mistral))


def _check(
    name: str, parameters: Given | None, body: Given | None, *, reads: bool
) -> tuple[Operation, arguments.Request]:
    operation = find(name)
    if (operation.effect in READS) is not reads:
        if reads:
            other = "mistral_api_write"
        else:
            other = "mistral_api_read"
        raise BadArgument(f"The effect of {operation.id} is {operation.effect}.", f"Call it with {other}.")
    return operation, arguments.check(operation, parameters, body)


def _parameters(operation: Operation) -> dict[str, Any]:
    if not operation.parameters:
        return {}
    members = {each.name: each.schema for each in operation.parameters}
    required = [each.name for each in operation.parameters if each.required]
    schema = {"type": "object", "properties": members, "required": required}
    return outline(schema, PARAMETERS, operation.id)


def _notes(operation: Operation, mistral: Mistral) -> list[str]:
    notes: list[str] = []
    if operation.instead:
        notes.append(f"Old: use {operation.instead}.")
    if operation.watch:
        notes.append(f"How far it is: {operation.watch}.")
    if not carries(mistral.caller.route, operation.method, operation.path):
        notes.append(f"The route {mistral.caller.shown_route} does not support it.")
    if not operation.is_json:
        notes.append(f"It answers {operation.media}.")
    return notes


def _description(
    operation: Operation,
    parameters: dict[str, Any],
    body: dict[str, Any] | None,
    example: dict[str, Any] | None,
    notes: list[str],
) -> Description:
    return Description(
        operation=operation.id,
        method=operation.method,
        path=operation.path,
        summary=operation.summary,
        effect=operation.effect,
        parameters=parameters,
        body=body,
        example=example,
        notes=notes,
    )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
