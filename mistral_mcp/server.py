"""Assembles the MCP server: settings, whose key, and the way to Mistral. Holds no tools."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, cast

import httpx2
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent
from mcp_types import Tool as ListedTool

from mistral_mcp import __version__, prompts, resources, tools
from mistral_mcp.credentials import CredentialSource
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.selection import AllowedToolsets, Selection, selection_of
from mistral_mcp.settings import Settings
from mistral_mcp.suggest import nearest
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.request import Served

INSTRUCTIONS = """\
Mistral's models as tools. Costs money per token; each result says how much.

- mistral_chat: questions, writing, translation, images; json_schema gives data in `parsed`.
- mistral_function_call: let a model choose functions and arguments; you run them, then put assistant_message and a \
tool message for each call into `messages`.
- mistral_rank: find the nearest of texts you have. mistral_embed only where the vectors themselves are wanted.
- mistral_code_complete: code between prompt and suffix.
- mistral_moderate: check texts or a conversation.
- mistral_list_models: when a model is unknown or refused, or to choose one.
"""


def create_server(
    settings: Settings, credentials: CredentialSource, transport: httpx2.AsyncBaseTransport | None = None
) -> MCPServer[Served]:
    """The server of stdio, of HTTP and of tests.

    `credentials` is asked for every request. `transport` is the wire itself, innermost; None: real connections.
    """

    @asynccontextmanager
    async def lifespan(_: MCPServer[Served]) -> AsyncGenerator[Served]:
        upstream = Upstream(settings, transport)
        try:
            yield Served(settings, credentials, upstream)
        finally:
            await upstream.aclose()

    bound = AllowedToolsets.of(settings)
    server = _Server(
        name="mistral-mcp",
        title="Mistral",
        version=__version__,
        instructions=INSTRUCTIONS,
        website_url="https://docs.mistral.ai",
        lifespan=lifespan,
        log_level=settings.log_level,
        # What is offered never changes while the process lives: nothing to subscribe to, and clients may keep it. But it
        # differs from caller to caller, so no cache may share it.
        subscriptions=False,
        cache_hints=dict.fromkeys(_LISTS, CacheHint(ttl_ms=300_000, scope="private")),
    )
    server.local_files = settings.files_dir is not None
    server.make(bound.chosen)
    resources.declare(server)
    prompts.declare(server)
    server.middleware.extend([OnlySelected(bound, server), resources.Answers(), prompts.Checks(server)])
    return server


_LISTS: tuple[CacheableMethod, ...] = (
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
)


class _Server(MCPServer[Served]):
    """The SDK's, which would have all tools made at its start: here a toolset's are made when it is first selected."""

    local_files = False
    _toolsets: frozenset[str] = frozenset()
    _made: Mapping[str, MistralTool] = MappingProxyType({})

    def make(self, toolsets: Iterable[str]) -> None:
        """From now on the tools of these toolsets can be listed and called."""
        if not self._toolsets.issuperset(toolsets):
            self._toolsets = self._toolsets.union(toolsets)
            # In one order, whoever selected what first.
            names = [name for name in tools.TOOLSETS if name in self._toolsets]
            made = (tool for name in names for tool in tools.built(name, local_files=self.local_files))
            self._made = {tool.name: tool for tool in made}

    async def list_tools(self) -> list[ListedTool]:
        return [tool.listed for tool in self._made.values()]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Served, Any] | None = None
    ) -> CallToolResult:
        if context is None or name not in self._made:
            raise ToolError(f"Unknown tool: {name}")
        return await self._made[name].run(arguments, context)


class OnlySelected:
    """The middleware that lists the tools of a request's selection, and calls no other."""

    def __init__(self, bound: AllowedToolsets, server: _Server) -> None:
        self._bound = bound
        self._server = server

    async def __call__(self, ctx: ServerRequestContext[Served, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method not in {"tools/list", "tools/call"}:
            return await call_next(ctx)
        selection = selection_of(ctx.request) or self._bound.select()
        offered = tools.offered(selection.toolsets, read_only=selection.read_only)
        self._server.make(selection.toolsets)
        if ctx.method == "tools/call":
            name = str((ctx.params or {}).get("name"))
            return await call_next(ctx) if name in offered else _not_offered(name, offered, selection)
        result = await call_next(ctx)
        listed = cast("dict[str, list[dict[str, Any]]]", result)
        return {**listed, "tools": [tool for tool in listed["tools"] if tool["name"] in offered]}


def _not_offered(name: str, offered: frozenset[str], selection: Selection) -> CallToolResult:
    """What calling an unknown tool gives, and a hidden one: the caller need not learn which it is."""
    meant = nearest(name, offered)
    text = (
        f"There is no tool {name[:64]!r} here"
        + (f"; did you mean {meant}?" if meant else ".")
        + f" The toolsets selected are {', '.join(selection.toolsets)}"
        + (", read-only." if selection.read_only else ".")
    )
    content = TextContent(type="text", text=text)
    return CallToolResult(content=[content], is_error=True, _meta={"mistral-mcp/error": {}})
