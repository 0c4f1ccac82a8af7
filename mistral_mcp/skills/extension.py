"""Serves the recipes over MCP, by the extension `io.modelcontextprotocol/skills`: `skills/list`, `skills/get`, resources.

Each caller gets the recipes whose tools they are offered. Files are read on first use.
"""

from collections.abc import Callable, Sequence
from typing import Any

import anyio.to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    PaginatedRequestParams,
    ReadResourceResult,
    RequestParams,
    Resource,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mistral_mcp.skills.recipes import Recipe, offered_recipes

SCHEME = "skill://"
_MEDIA_TYPE = "text/markdown"
# Texts change only with a release, but the list depends on the caller.
_CACHING: dict[str, object] = {"ttlMs": 300_000, "cacheScope": "private"}

Request = ServerRequestContext[Any, Any]


class GetSkillParams(RequestParams):
    uri: str


class Skills(Extension):
    """`offered` returns the tools that a request is offered."""

    identifier = "io.modelcontextprotocol/skills"

    def __init__(self, offered: Callable[[Request], frozenset[str]]) -> None:
        self._offered = offered

    def methods(self) -> Sequence[MethodBinding]:
        revisions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("skills/list", PaginatedRequestParams, self._list, revisions),
            MethodBinding("skills/get", GetSkillParams, self._get, revisions),
        ]

    async def listed_resources(self, request: Request) -> list[dict[str, Any]]:
        """The entries of the recipes in the list of resources."""
        resources = [_resource(recipe) for recipe in await self._recipes(request)]
        return [resource.model_dump(mode="json", by_alias=True, exclude_none=True) for resource in resources]

    async def read(self, request: Request, uri: str) -> ReadResourceResult:
        """Raises `MCPError`."""
        recipe = await self._find(request, uri)
        contents = TextResourceContents(uri=uri, mime_type=_MEDIA_TYPE, text=recipe.text)
        return ReadResourceResult(contents=[contents])

    async def _list(self, request: Request, params: PaginatedRequestParams) -> dict[str, Any]:
        if params.cursor:
            raise MCPError(code=INVALID_PARAMS, message="The skills come on one page: leave cursor out.")
        entries = [_entry(recipe) for recipe in await self._recipes(request)]
        return {"skills": entries, **_CACHING}

    async def _get(self, request: Request, params: GetSkillParams) -> dict[str, Any]:
        return {"skill": _entry(await self._find(request, params.uri)), **_CACHING}

    async def _find(self, request: Request, uri: str) -> Recipe:
        for recipe in await self._recipes(request):
            if recipe.uri == uri:
                return recipe
        raise MCPError(
            code=INVALID_PARAMS, message="There is no such skill here; skills/list has those there are."
        )

    async def _recipes(self, request: Request) -> list[Recipe]:
        return await anyio.to_thread.run_sync(offered_recipes, self._offered(request))


def _entry(recipe: Recipe) -> dict[str, object]:
    file = {"uri": recipe.uri, "digest": recipe.digest, "size": recipe.size}
    return {"uri": recipe.uri, "frontmatter": dict(recipe.frontmatter), "resources": [file]}


def _resource(recipe: Recipe) -> Resource:
    return Resource(
        uri=recipe.uri,
        name=recipe.name,
        title=recipe.title,
        description=recipe.description,
        mime_type=_MEDIA_TYPE,
        size=recipe.size,
    )
