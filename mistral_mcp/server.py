"""Assembles the MCP server from settings, credentials and the client for Mistral. Defines no tools."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from itertools import chain
from typing import Any, cast

import anyio.to_thread
import httpx2
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, Icon, TextContent
from mcp_types import Tool as ListedTool

from mistral_mcp import __version__, prompts, resources, tools
from mistral_mcp.credentials import CredentialSource
from mistral_mcp.instructions import instructions, names_others, omit_unoffered_tools
from mistral_mcp.kept_results import FolderStore, MemoryStore, ResultStore
from mistral_mcp.masking import mask_shapes
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports.observing import ExchangeObserver
from mistral_mcp.monitoring.audit import AuditLog
from mistral_mcp.monitoring.server_spans import ServerSpans
from mistral_mcp.selection import AllowedToolsets, Selection, selection_of
from mistral_mcp.settings import Settings
from mistral_mcp.skills.extension import SCHEME, Skills
from mistral_mcp.stdio import client_streams
from mistral_mcp.suggest import nearest
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.kept import READ_TOOL
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.upload_links import UploadLinks
from mistral_mcp.usage.budgets import Budgets
from mistral_mcp.usage.ended_calls import CallObserver
from mistral_mcp.usage.ledger import Ledger, digest_of_key
from mistral_mcp.usage.store import MemoryUsage

TITLE = "mistral-mcp"
REGISTRY_NAME = "io.github.mistral-mcp/mistral-mcp"
DESCRIPTION = "Mistral's models as tools: chat, OCR, speech, code, embeddings, batches, agents, the whole API."
PROJECT_URL = "https://github.com/mistral-mcp/mistral-mcp"
_ICON_URL = "https://raw.githubusercontent.com/mistral-mcp/mistral-mcp/main/manifests/mcpb/icon.png"

Request = ServerRequestContext[Served, Any]
Handler = Callable[[Request, CallNext], Awaitable[HandlerResult]]


def create_server(
    settings: Settings,
    credentials: CredentialSource,
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    result_store: ResultStore | None = None,
    upload_links: UploadLinks | None = None,
    exchange_observer: ExchangeObserver | None = None,
    observers: Sequence[CallObserver] = (),
    ledger: Ledger | None = None,
    budgets: Budgets | None = None,
) -> MCPServer[Served]:
    """The server of stdio, of HTTP and of tests.

    `credentials` is called for every request. `transport` is the innermost one; None: real connections.
    `result_store` stores long and binary results; None: OUTPUT_DIR if it is set, else this process's memory.
    `upload_links` stores upload links; None: there are none. `exchange_observer` is called for each exchange with Mistral.
    `observers` are told of calls that have ended. `ledger` adds up usage; None: one in this process's memory.
    `budgets` are checked before each call; None: there are no limits.
    """
    store = result_store or _default_store(settings)
    sums = ledger or Ledger(MemoryUsage(), digest_of_key)
    sums.ended.add_observers(AuditLog(), *observers)

    running: Served | None = None

    @asynccontextmanager
    async def lifespan(_: MCPServer[Served]) -> AsyncGenerator[Served]:
        nonlocal running
        if running is not None:  # by the other of HTTP's two session managers (http/app.py)
            yield running
            return
        upstream = Upstream(settings, transport, exchange_observer)
        try:
            async with budgets.running() if budgets else nullcontext(), sums.running():
                running = Served(settings, credentials, upstream, store, upload_links, sums, budgets)
                yield running
        finally:
            running = None
            await upstream.aclose()

    allowed = AllowedToolsets.of(settings)
    skills = Skills(lambda request: _select(request, allowed)[1])
    server = _Server(
        allowed,
        skills,
        name="mistral-mcp",
        title=TITLE,
        version=__version__,
        website_url=PROJECT_URL,
        icons=[_icon(settings)],
        lifespan=lifespan,
        log_level=settings.log_level,
        # The lists never change while the process runs: nothing to subscribe to, and clients may cache them. But they
        # differs from caller to caller, so no cache may share it.
        subscriptions=False,
        cache_hints=dict.fromkeys(_LISTS, CacheHint(ttl_ms=300_000, scope="private")),
        local_files=settings.files_dir is not None,
    )
    resources.declare(server)
    prompts.declare(server)
    return server


def _icon(settings: Settings) -> Icon:
    """Served from PUBLIC_URL if it is set: clients show icons of the server's own site only."""
    if settings.public_url:
        return Icon(src=f"{settings.public_url}/icon.png", mime_type="image/png", sizes=["128x128"])
    return Icon(src=_ICON_URL, mime_type="image/png", sizes=["512x512"])


def _default_store(settings: Settings) -> ResultStore:
    if settings.output_dir:
        return FolderStore(settings.output_dir, None)
    return MemoryStore(settings.result_ttl * 60)


_LISTS: tuple[CacheableMethod, ...] = (
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
)


class _Server(MCPServer[Served]):
    """Builds a toolset's tools when it is first selected; the SDK's server would build all of them at the start."""

    def __init__(self, allowed: AllowedToolsets, skills: Skills, *, local_files: bool, **options: Any) -> None:
        dispatch = Dispatch(allowed, self, skills)
        super().__init__(extensions=[skills], middleware=[dispatch], **options)
        # The SDK's own, which makes a span of each message, has no option: it is always the first.
        self.middleware[0] = ServerSpans(self.middleware[0], dispatch.known_names)
        self._local_files = local_files
        self._toolsets: frozenset[str] = frozenset()
        self._tools: dict[str, MistralTool] = {}
        self.load(allowed.chosen)

    def load(self, toolsets: Iterable[str]) -> None:
        """Build the tools of these toolsets, so that they can be listed and called."""
        if not self._toolsets.issuperset(toolsets):
            wanted = self._toolsets = self._toolsets.union(toolsets)
            # In the same order, whichever toolset was selected first.
            names = [name for name in tools.TOOLSETS if name in wanted]
            loaded = chain.from_iterable(tools.build(name, local_files=self._local_files) for name in names)
            self._tools = {tool.name: tool for tool in loaded}
            self._tools.setdefault(READ_TOOL, tools.reading_tool())

    async def list_tools(self) -> list[ListedTool]:
        return [tool.listed for tool in self._tools.values()]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Served, Any] | None = None
    ) -> CallToolResult:
        if context is None or name not in self._tools:
            raise ToolError("Unknown tool.")
        return await self._tools[name].run(arguments, context)

    async def run_stdio_async(self) -> None:
        async with client_streams() as streams:
            server = self._lowlevel_server
            await server.run(*streams, server.create_initialization_options())


_MAX_NAME = 64


def _select(ctx: Request, allowed: AllowedToolsets) -> tuple[Selection, frozenset[str]]:
    """The request's selection, and the names of the tools that it is offered."""
    selection = selection_of(ctx.request) or allowed.select()
    return selection, tools.names(selection.toolsets, read_only=selection.read_only)


class Dispatch:
    """The middleware that limits each answer to the tools, prompts and instructions that its caller is offered."""

    def __init__(self, allowed: AllowedToolsets, server: _Server, skills: Skills) -> None:
        self._allowed = allowed
        self._server = server
        self._skills = skills
        self._resources = resources.Resources()
        self._prompts = prompts.Prompts(server)
        self._handlers: dict[str, Handler] = {
            "initialize": self._describe,
            "server/discover": self._describe,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "prompts/list": self._list_prompts,
            "prompts/get": self._get_prompt,
            "resources/list": self._list_resources,
            "resources/read": self._read_resource,
            "completion/complete": self._complete,
        }

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        handler = self._handlers.get(ctx.method)
        if handler is None or ctx.request_id is None:
            return await call_next(ctx)
        return await handler(ctx, call_next)

    def known_names(self, ctx: Request) -> frozenset[str]:
        """The names of tools, prompts or resources that this request may ask for."""
        match ctx.method:
            case "tools/call":
                return _select(ctx, self._allowed)[1]
            case "prompts/get":
                return prompts.names()
            case _:
                return frozenset()

    async def _describe(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        _, offered = _select(ctx, self._allowed)
        described = cast("dict[str, Any]", await call_next(ctx))
        return {**described, "instructions": instructions(offered)}

    async def _list_tools(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        selection, offered = _select(ctx, self._allowed)
        self._server.load(selection.toolsets)
        listed = cast("dict[str, Any]", await call_next(ctx))
        return {**listed, "tools": [tool for tool in listed["tools"] if tool["name"] in offered]}

    async def _call_tool(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        selection, offered = _select(ctx, self._allowed)
        name = str((ctx.params or {}).get("name"))
        if name not in offered:
            return await _refuse(name, offered, selection)
        self._server.load(selection.toolsets)
        result = await call_next(ctx)
        if not isinstance(result, dict) or not result.get("isError"):
            return result
        [block] = cast("list[dict[str, Any]]", result["content"])
        return {**result, "content": [{**block, "text": await _in_offered_words(block["text"], offered)}]}

    async def _list_prompts(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        _, offered = _select(ctx, self._allowed)
        listed = cast("dict[str, Any]", await call_next(ctx))
        return {
            **listed,
            "prompts": [prompt for prompt in listed["prompts"] if prompts.fits(prompt["name"], offered)],
        }

    async def _get_prompt(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        _, offered = _select(ctx, self._allowed)
        await self._prompts.check(ctx.params or {}, offered)
        return await call_next(ctx)

    async def _list_resources(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        listed = cast("dict[str, Any]", await call_next(ctx))
        return {**listed, "resources": [*listed["resources"], *await self._skills.listed_resources(ctx)]}

    async def _read_resource(self, ctx: Request, _: CallNext) -> HandlerResult:
        uri = str((ctx.params or {}).get("uri", ""))
        if uri.startswith(SCHEME):
            return await self._skills.read(ctx, uri)
        return await self._resources.read(ctx)

    async def _complete(self, ctx: Request, _: CallNext) -> HandlerResult:
        return await self._resources.complete(ctx)


async def _in_offered_words(text: str, offered: frozenset[str]) -> str:
    if not names_others(text, offered):
        return text
    # This imports toolsets that were not selected yet, which takes a moment.
    return await anyio.to_thread.run_sync(omit_unoffered_tools, text, offered, tools.toolset_of)


async def _refuse(name: str, offered: frozenset[str], selection: Selection) -> CallToolResult:
    """The failed result of a call whose tool is unknown, or not offered to this caller."""
    toolset = None
    if len(name) <= _MAX_NAME:
        # This imports toolsets that were not selected yet, which takes a moment.
        toolset = await anyio.to_thread.run_sync(tools.toolset_of, name)
    if toolset is None:
        meant = nearest(name, offered, prefix="mistral_")
        if meant:
            known = f" Did you mean {meant}?"
        else:
            known = f" The toolsets selected are {', '.join(selection.toolsets)}."
        text = f"There is no tool {mask_shapes(name[:64])!r}.{known}"
    elif toolset in selection.toolsets:
        text = f"{name} is not offered: only tools that change nothing are (read-only). Ask the user to allow changes."
    else:
        text = f"{name} is not offered: its toolset {toolset} is not selected. Ask the user to select it for this server."
    return CallToolResult(
        content=[TextContent(type="text", text=text)], is_error=True, _meta={"mistral-mcp/error": {}}
    )
