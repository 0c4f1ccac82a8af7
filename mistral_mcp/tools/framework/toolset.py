"""What makes a typed function a tool, and the one seam between tools and MCP.

    @toolset.tool("Embed texts", effect="reads")
    async def mistral_embed(mistral: Mistral, inputs: list[str]) -> Embeddings:
        "Turn texts into vectors, for search, clustering or classification."

The signature is the input schema, the docstring the description, the return model the output schema. `effect` becomes the
four hints. Here, and nowhere else, result models and errors become what MCP calls a `CallToolResult`.
"""

import functools
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import new_class
from typing import Any, Literal, TypeVar, cast

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools.base import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata, func_metadata
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ContentBlock, TextContent, ToolAnnotations
from mcp_types import Tool as ListedTool
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails, from_json

from mistral_mcp.credentials import CredentialSource
from mistral_mcp.errors import BadArgument, MissingCredential, MistralMcpError, UpstreamError
from mistral_mcp.masking import Mask
from mistral_mcp.mistral import catalog
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.settings import Settings
from mistral_mcp.suggest import nearest
from mistral_mcp.tools.framework.slim_schema import trimmed
from mistral_mcp.usage import Ledger


@dataclass(frozen=True)
class Served:
    """What a running server hands to every call: the SDK's lifespan context."""

    settings: Settings
    credentials: CredentialSource
    upstream: Upstream
    ledger: Ledger = field(default_factory=Ledger)


async def client_of(request: ServerRequestContext[Served, Any]) -> MistralClient:
    """Mistral with the key of this very request. Raises a `CredentialError` where there is none."""
    served = request.lifespan_context
    found = await served.credentials(request.request)
    settings = served.settings
    route = found.route or settings.route
    # The operator's token never goes out on a tenant's own route.
    route_token = found.route_token if found.route else settings.route_token
    if found.key is None and not route.pays(route_token):
        raise MissingCredential(
            f"There is no Mistral key: {found.source} is not set.",
            "Set it in this server's entry of your MCP client (a key comes from https://console.mistral.ai), "
            "then restart the server.",
        )
    caller = Caller.of(found.key, found.source, route, route_token, *found.also_secret)
    listens = bool(request.meta and request.meta.get("progress_token") is not None)
    progress = Progress(request.session.report_progress) if listens else None
    return served.upstream.client(caller, progress)


Mistral = MistralClient
"""A tool's way to Mistral, in its first parameter, `mistral`: filled per request, and no part of the input schema.

Not by the SDK's `Resolve`: its plans for asking the user cost more than a tool does.
"""


def absent(value: object) -> bool:
    """For members that are left out of a result rather than null: `Field(default=None, exclude_if=absent)`."""
    return value is None


class Result(BaseModel):
    """What a tool gives back. Its fields are the structured result, which must make sense alone; so must its text."""

    model_config = ConfigDict(protected_namespaces=())

    def for_reader(self) -> str:
        """The text content."""
        raise NotImplementedError

    def attachments(self) -> list[ContentBlock]:
        """What travels beside, where text and fields cannot carry it."""
        return []


class Usage(BaseModel):
    """Tokens of this call, and what they cost."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = Field(default=None, exclude_if=absent)
    cost_usd: float | None = Field(description="null where the price is unknown")


class UnitUsage(BaseModel):
    """What a call used that is not counted in tokens; a subclass says in what."""

    cost_usd: float | None = Field(description="null where the price is unknown")


def usage_of(mistral: MistralClient, model: str, reply: UsageReply | None, *, batch: bool = False) -> Usage:
    """The usage of a reply, priced by the dated catalogue where it was counted."""
    reply = reply or UsageReply()
    prompt, completion = reply.prompt_tokens or 0, reply.completion_tokens or 0
    # Of what makes vectors only, some count no completion at all.
    counted = reply.prompt_tokens is not None and (
        reply.completion_tokens is not None or reply.total_tokens == reply.prompt_tokens
    )
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=reply.total_tokens or prompt + completion,
        cached_tokens=reply.cached_tokens or None,
        cost_usd=catalog.cost_usd(
            model,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=reply.cached_tokens,
            regional=mistral.caller.route.kind in {"eu", "us"},
            batch=batch,
            priority=reply.service_tier == "priority",
        )
        if counted
        else None,
    )


def unit_cost_of(mistral: MistralClient, model: str, amount: float | None, per: catalog.Per) -> float | None:
    """What so many pages, minutes or characters cost on this route; None if that is unknown."""
    regional = mistral.caller.route.kind in {"eu", "us"}
    return None if amount is None else catalog.unit_cost_usd(model, amount, per, regional=regional)


class LocalOnly:
    """Marks, in `Annotated`, a parameter that exists only where the server may read files of its own."""


Effect = Literal["reads", "creates", "changes", "deletes", "cancels"]

# read-only: stores and changes nothing at Mistral, though it costs money.
_HINTS: dict[Effect, dict[str, bool]] = {
    "reads": {"read_only_hint": True, "destructive_hint": False, "idempotent_hint": True},
    "creates": {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": False},
    "changes": {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": True},
    "deletes": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
    "cancels": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
}

ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True)
class _Declared:
    function: Callable[..., Awaitable[Result]]
    title: str
    effect: Effect


class Toolset:
    """The tools of one file. Declaring costs nothing; `build` makes the schemas."""

    def __init__(self) -> None:
        self._declared: list[_Declared] = []

    def tool(
        self, title: str, *, effect: Effect
    ) -> Callable[[Callable[..., Awaitable[ResultT]]], Callable[..., Awaitable[ResultT]]]:
        def declare(function: Callable[..., Awaitable[ResultT]]) -> Callable[..., Awaitable[ResultT]]:
            self._declared.append(_Declared(function, title, effect))
            return function

        return declare

    def names(self, *, read_only: bool = False) -> list[str]:
        return [
            declared.function.__name__ for declared in self._declared if not read_only or declared.effect == "reads"
        ]

    def titles(self) -> list[str]:
        return [declared.title for declared in self._declared]

    def build(self, *, local_files: bool = False) -> list["MistralTool"]:
        tools = [MistralTool.of(declared.function, declared.title, declared.effect) for declared in self._declared]
        return tools if local_files else [tool.without_local_files() for tool in tools]


_STRICT = {"extra": "forbid", "hide_input_in_errors": True}


class MistralTool(Tool):
    """The SDK's tool, cured of what a model should not meet: arguments silently ignored, text taken for JSON, titles and
    nulls in schemas, errors that repeat the input.
    """

    hidden: frozenset[str] = frozenset()
    """Parameters that are not offered here, and refused as unknown."""

    @classmethod
    def of(cls, function: Callable[..., Awaitable[Result]], title: str, effect: Effect) -> "MistralTool":
        metadata = func_metadata(function, skip_names=["mistral"])
        arguments = cast("type[ArgModelBase]", new_class(metadata.arg_model.__name__, (metadata.arg_model,), _STRICT))
        parameters = arguments.model_json_schema(by_alias=True)
        output = trimmed(metadata.output_schema or {}, keep_null=True)
        return cls(
            fn=function,
            name=function.__name__,
            title=title,
            description=_description(function),
            parameters=trimmed(parameters),
            fn_metadata=_Arguments(
                arg_model=arguments,
                output_schema=output,
                output_model=metadata.output_model,
                wrap_output=False,
                texts=_texts(parameters),
            ),
            is_async=True,
            context_kwarg=None,
            annotations=ToolAnnotations(title=title, open_world_hint=True, **_HINTS[effect]),
        )

    def without_local_files(self) -> "MistralTool":
        """The same tool where no file of the server's may be read."""
        hidden = {
            name
            for name, field in self.fn_metadata.arg_model.model_fields.items()
            if any(isinstance(mark, LocalOnly) for mark in field.metadata)
        }
        if not hidden:
            return self
        kept = {name: schema for name, schema in self.parameters["properties"].items() if name not in hidden}
        parameters = {**self.parameters, "properties": kept}
        return self.model_copy(update={"hidden": frozenset(hidden), "parameters": parameters})

    @functools.cached_property
    def listed(self) -> ListedTool:
        """As `tools/list` tells it."""
        return ListedTool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.parameters,
            output_schema=self.output_schema,
            annotations=self.annotations,
        )

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:  # noqa: ARG002 - the SDK's signature
        mistral: MistralClient | None = None
        try:
            mistral = await client_of(context.request_context)
            validated = self._validated(arguments, mistral.caller.mask)
            result: Result = await self.fn(mistral, **validated)
            self._enter(context, mistral, getattr(result, "usage", None))
            return _succeeded(result, mistral)
        except MistralMcpError as error:
            if mistral is not None:
                self._enter(context, mistral, None, failed=True)
            return _failed(error, mistral)
        except MCPError:
            raise
        except Exception as crash:  # noqa: BLE001 - it is raised again, without the secrets
            # The SDK logs it; its text stays on the server.
            raise UnexpectedToolError(f"Error executing tool {self.name}") from _Crash.of(crash, mistral)

    def _validated(self, arguments: dict[str, Any], mask: Mask) -> dict[str, Any]:
        if found := self.hidden.intersection(arguments):
            raise BadArgument(_unknown(min(found), list(self.parameters["properties"])) + ".", "Leave it out.")
        try:
            return self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise _bad_arguments(error, self.parameters, mask) from None

    def _enter(
        self, context: Context[Any, Any], mistral: MistralClient, usage: object, *, failed: bool = False
    ) -> None:
        served: Served = context.request_context.lifespan_context
        spent = served.ledger.of(mistral.caller)
        spent.calls += 1
        spent.failed += failed
        if isinstance(usage, Usage):
            spent.prompt_tokens += usage.prompt_tokens
            spent.completion_tokens += usage.completion_tokens
        if isinstance(usage, Usage | UnitUsage):
            spent.cost_usd += usage.cost_usd or 0
            spent.unpriced += usage.cost_usd is None


class _Crash(Exception):
    """What happened, traceback and causes included, as text without the caller's secrets."""

    @classmethod
    def of(cls, crash: Exception, mistral: MistralClient | None) -> Exception:
        text = "".join(traceback.format_exception(crash))
        return cls(mistral.caller.mask.text(text)) if mistral is not None else crash


class _Arguments(FuncMetadata):
    """Hosts that send a list as JSON in a string are helped; text that happens to be JSON stays text."""

    texts: frozenset[str]
    """The parameters that take text."""

    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        parsed = super().pre_parse_json({name: value for name, value in data.items() if name not in self.texts})
        return {name: parsed.get(name, value) for name, value in data.items()}


def _texts(parameters: dict[str, Any]) -> frozenset[str]:
    properties: dict[str, dict[str, Any]] = parameters.get("properties", {})
    return frozenset(
        name
        for name, schema in properties.items()
        if any(arm.get("type") == "string" for arm in [schema, *schema.get("anyOf", [])])
    )


def _description(function: Callable[..., object]) -> str:
    """The docstring, with the line breaks of the source taken out of its paragraphs."""
    paragraphs = (function.__doc__ or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _succeeded(result: Result, mistral: MistralClient) -> CallToolResult:
    # Replies come masked; what a result repeats of the caller's own arguments does not.
    mask = mistral.caller.mask
    content: list[ContentBlock] = [TextContent(type="text", text=mask.text(result.for_reader())), *result.attachments()]
    structured = from_json(mask.body(result.model_dump_json().encode()))
    return CallToolResult(content=content, structured_content=structured, _meta=_story(mistral) or None)


def _failed(error: MistralMcpError, mistral: MistralClient | None) -> CallToolResult:
    text = str(error)
    meta: dict[str, Any] = _story(mistral) if mistral is not None else {}
    if mistral is not None:
        text = mistral.caller.mask.text(text)
    facts: dict[str, JsonValue] = {}
    if isinstance(error, UpstreamError):
        facts = {"status": error.status, "code": error.code, "retry_after": error.retry_after}
        if error.correlation_id:
            meta["mistral-mcp/correlation_id"] = error.correlation_id
        if error.attempts > 1:
            meta["mistral-mcp/attempts"] = error.attempts
    meta["mistral-mcp/error"] = {name: fact for name, fact in facts.items() if fact is not None}
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True, _meta=meta)


def _story(mistral: MistralClient) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if mistral.correlation_id:
        meta["mistral-mcp/correlation_id"] = mistral.correlation_id
    if mistral.attempts > 1:
        meta["mistral-mcp/attempts"] = mistral.attempts
    return meta


def _bad_arguments(error: ValidationError, parameters: dict[str, Any], mask: Mask) -> BadArgument:
    """One sentence of what is wrong with the arguments, and none of what they held."""
    known = list(parameters["properties"])
    details = error.errors(include_url=False, include_input=False, include_context=False)
    # A union reports once for each arm that did not fit: one report a parameter is enough.
    first = {str(detail["loc"][0]) if detail["loc"] else "": detail for detail in reversed(details)}
    problems = [_problem(detail, known, mask) for detail in reversed(first.values())]
    return BadArgument(f"{'; '.join(problems[:4])}.", "Correct the arguments and call again.")


def _problem(detail: ErrorDetails, known: list[str], mask: Mask) -> str:
    # The caller's own names: masked while they are whole, and cut so that none floods a context.
    where = mask.text(".".join(str(part) for part in detail["loc"] if not _is_arm(part)))[:64]
    match detail["type"]:
        case "extra_forbidden" if len(detail["loc"]) == 1:
            return _unknown(where, known)
        case "missing":
            return f"{where} is missing"
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            return f"{where}: {message[:1].lower()}{message[1:]}".removeprefix(": ")


def _unknown(name: str, known: list[str]) -> str:
    meant = nearest(name, known)
    return f"unknown argument {name!r}" + (f", did you mean {meant!r}?" if meant else f"; known are {', '.join(known)}")


def _is_arm(part: int | str) -> bool:
    """Whether a part of a location names an arm of a union, which means nothing to a caller."""
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "float", "bool"})
