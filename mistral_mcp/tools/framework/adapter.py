"""The adapter between tools and MCP: turns result models and errors into MCP's `CallToolResult`, here only."""

import functools
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools.base import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata, func_metadata
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from mcp_types import Tool as ListedTool
from pydantic import JsonValue

from mistral_mcp.bounds.heavy_work import work_for
from mistral_mcp.errors import BudgetSpent, MistralMcpError, UpstreamError
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.tools.framework.arguments import Arguments, Shape, strict
from mistral_mcp.tools.framework.declare import Declaration, Effect, FindNeeds, LocalOnly
from mistral_mcp.tools.framework.estimates.estimate import Estimate
from mistral_mcp.tools.framework.fitting import shorten_partial, structured_content
from mistral_mcp.tools.framework.request import CallContext, Served, call_context
from mistral_mcp.tools.framework.results import Result
from mistral_mcp.tools.framework.slim_schema import merge_alternatives, slim, slim_parameters
from mistral_mcp.usage.bounds import Charge, Needs, is_dry_run
from mistral_mcp.usage.budgets import Budgets, Reservation
from mistral_mcp.usage.calls import RunningCall, client_name
from mistral_mcp.usage.sums import cost_of

_HINTS: dict[Effect, dict[str, bool]] = {
    "reads": {"read_only_hint": True, "destructive_hint": False, "idempotent_hint": True},
    "creates": {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": False},
    "changes": {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": True},
    "deletes": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
    "cancels": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
    "writes": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": False},
}

_STRICT = {"extra": "forbid", "hide_input_in_errors": True}


class MistralTool(Tool):
    """The SDK's tool, without its drawbacks: unknown arguments ignored silently, strings parsed as JSON, titles and
    nulls in schemas, errors that quote the input.
    """

    keeps_results: bool = False
    takes_upload_links: bool = False
    charge: Charge | None = None
    find_needs: FindNeeds | None = None

    @classmethod
    def of(cls, declared: Declaration) -> "MistralTool":
        function = declared.function
        metadata = func_metadata(function, skip_names=["mistral", "kept_results", "upload_handles"])
        model = strict(metadata.arg_model)
        schema = model.model_json_schema(by_alias=True)
        return cls(
            fn=function,
            name=declared.name,
            title=declared.title,
            description=_description(function),
            parameters=slim_parameters(schema),
            fn_metadata=Arguments(
                arg_model=model,
                output_schema=_output_schema(metadata),
                output_model=metadata.output_model,
                wrap_output=False,
                shape=Shape.of(schema, schema.get("$defs", {})),
            ),
            keeps_results=declared.keeps_results,
            takes_upload_links=declared.takes_upload_links,
            charge=declared.charge,
            find_needs=declared.find_needs,
            is_async=True,
            context_kwarg=None,
            annotations=ToolAnnotations(title=declared.title, open_world_hint=True, **_HINTS[declared.effect]),
        )

    def without_local_files(self) -> "MistralTool":
        """The tool for servers without local files."""
        hidden = {
            name
            for name, field in self.fn_metadata.arg_model.model_fields.items()
            if any(isinstance(mark, LocalOnly) for mark in field.metadata)
        }
        if not hidden:
            return self
        properties = {name: schema for name, schema in self.parameters["properties"].items() if name not in hidden}
        return self.model_copy(update={"parameters": {**self.parameters, "properties": properties}})

    @property
    def arguments(self) -> Arguments:
        return cast("Arguments", self.fn_metadata)

    @functools.cached_property
    def listed(self) -> ListedTool:
        """The tool's entry in `tools/list`."""
        return ListedTool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.parameters,
            output_schema=self.output_schema,
            annotations=self.annotations,
        )

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,  # noqa: ARG002 - the SDK's signature
    ) -> Any:
        request: ServerRequestContext[Served, Any] = context.request_context
        served = request.lifespan_context
        running = RunningCall(self.name, served.settings.route.kind, _client_of(request))
        reservation: Reservation | None = None
        served.ledger.ended.running += 1
        try:
            call = await call_context(request)
            running.credentials, running.mistral = call.credentials, call.mistral
            work_for(call.mistral.caller.digest)
            if served.budgets is not None:
                reservation = await self._reserve(served.budgets, call, arguments)
            result = await self._answer(call, arguments)
            fields = await structured_content(result, call.kept_results, f"{self.name}.json")
            return _success(result, fields, call.mistral, reservation)
        except MistralMcpError as error:
            running.error = error
            return _failure(error, running.mistral)
        except MCPError as error:
            running.error = error
            raise
        except Exception as crash:  # noqa: BLE001 - raised again, without the secrets
            running.error = _Crash.of(crash, running.mistral)
            # The SDK logs it; its text stays on the server.
            raise UnexpectedToolError(f"Error executing tool {self.name}") from running.error
        except BaseException as error:  # cancelled: the caller disconnected
            running.error = error
            raise
        finally:
            if running.mistral is not None:
                running.mistral.memory.release()
            running.end()
            if reservation and served.budgets:
                served.budgets.end(reservation, cost_of(running.used))
            served.ledger.ended.add(running)

    def _reserve(
        self, budgets: Budgets, call: CallContext, arguments: dict[str, Any]
    ) -> Awaitable[Reservation | None]:
        """Reserve the call's highest cost, if the caller has a budget. Raises `BudgetSpent`."""
        mistral, charge = call.mistral, self.charge
        highest = estimate = None
        if charge is not None:
            highest = functools.partial(charge.highest_cost, arguments, mistral.settings, mistral.upstream.catalog)
            if charge.asks_dry_run and not is_dry_run(arguments):
                estimate = functools.partial(self._estimate, charge, call, arguments)
        elif self.find_needs is not None:
            estimate = functools.partial(self._find_needs, self.find_needs, call, arguments)
        return budgets.begin(call.credentials, highest, estimate, mistral.ends_at)

    async def _find_needs(
        self, find_needs: FindNeeds, call: CallContext, arguments: dict[str, Any], otherwise: int
    ) -> Needs:
        """What the call needs of a budget; `otherwise` if that cannot be told: the call itself reports why."""
        try:
            return await find_needs(call.mistral, await self._validate(call, arguments))
        except MistralMcpError:
            return Needs(otherwise)

    async def _estimate(
        self, charge: Charge, call: CallContext, arguments: dict[str, Any], otherwise: int
    ) -> Needs:
        """The same, by the tool's dry run."""
        try:
            result = await self._answer(call, {**arguments, "dry_run": True})
        except MistralMcpError:
            return Needs(otherwise)
        if not isinstance(result, Estimate):
            return Needs(otherwise)
        return charge.needs(result.cost_usd.min, result.cost_usd.max, otherwise)

    async def _answer(self, call: CallContext, arguments: dict[str, Any]) -> Result:
        validated = await self._validate(call, arguments)
        if self.keeps_results:
            validated["kept_results"] = call.kept_results
        if self.takes_upload_links:
            validated["upload_handles"] = call.upload_handles
        try:
            return await self._call(call.mistral, validated)
        except UpstreamError as error:
            await shorten_partial(error, call.kept_results)
            raise

    async def _validate(self, call: CallContext, arguments: dict[str, Any]) -> dict[str, Any]:
        validated = self.arguments.read(arguments, list(self.parameters["properties"]), call.mistral.caller.mask)
        return await call.upload_handles.resolve(validated, call.mistral)

    async def _call(self, mistral: MistralClient, arguments: dict[str, Any]) -> Result:
        """Run the function until a moment after the deadline of its requests: it may also compute."""
        with anyio.CancelScope(deadline=mistral.ends_at + _GRACE):
            return await self.fn(mistral, **arguments)
        raise mistral.deadline_error()


_GRACE = 1.0  # seconds, so that the error of a request's own deadline, which says more, comes first


class _Crash(Exception):
    """An exception with its traceback and causes as text, without the caller's secrets."""

    @classmethod
    def of(cls, crash: Exception, mistral: MistralClient | None) -> Exception:
        text = "".join(traceback.format_exception(crash))
        if mistral is not None:
            return cls(mistral.caller.mask.text(text))
        return crash


def _client_of(request: ServerRequestContext[Served, Any]) -> str | None:
    """The client's name and version. Over HTTP only clients since 2026 send it with every request; of others, the User-Agent."""
    params = request.session.client_params
    if params is None:
        http = request.request
        return client_name(http.headers.get("user-agent", ""), "") if http else None
    return client_name(params.client_info.name, params.client_info.version)


def _description(function: Callable[..., object]) -> str:
    """The docstring, without line breaks within paragraphs."""
    paragraphs = (function.__doc__ or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _output_schema(metadata: FuncMetadata) -> dict[str, Any]:
    """The result's schema; several results are merged."""
    schema = slim(metadata.output_schema or {})
    if metadata.wrap_output:
        return merge_alternatives(schema["properties"]["result"]["anyOf"])
    return schema


def _success(
    result: Result, fields: JsonValue, mistral: MistralClient, reservation: Reservation | None
) -> CallToolResult:
    # Replies are masked already; what a result repeats of the caller's arguments is not.
    mask = mistral.caller.mask
    content = [TextContent(type="text", text=mask.text(result.to_text())), *result.extra_content()]
    if reservation is not None and reservation.account.notes:
        content.append(TextContent(type="text", text=reservation.account.notes.pop()))
    return CallToolResult(
        content=content,
        structured_content=mask.value(fields),
        _meta=_result_meta(mistral) or None,
    )


def _failure(error: MistralMcpError, mistral: MistralClient | None) -> CallToolResult:
    text = str(error)
    meta: dict[str, Any] = _result_meta(mistral) if mistral is not None else {}
    if mistral is not None:
        text = mistral.caller.mask.text(text)
    facts: dict[str, JsonValue] = {}
    if isinstance(error, BudgetSpent):
        facts = {"code": error.code, "retry_after": error.retry_after}
    if isinstance(error, UpstreamError):
        facts = {"status": error.status, "code": error.code, "retry_after": error.retry_after}
        if error.correlation_id:
            meta["mistral-mcp/correlation_id"] = error.correlation_id
        if error.attempts > 1:
            meta["mistral-mcp/attempts"] = error.attempts
    meta["mistral-mcp/error"] = {name: fact for name, fact in facts.items() if fact is not None}
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True, _meta=meta)


def _result_meta(mistral: MistralClient) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if mistral.correlation_id:
        meta["mistral-mcp/correlation_id"] = mistral.correlation_id
    if mistral.attempts > 1:
        meta["mistral-mcp/attempts"] = mistral.attempts
    return meta
