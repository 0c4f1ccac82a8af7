"""The tools: one line a toolset."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import chain
from typing import cast

from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.declare import Declaration, Toolset
from mistral_mcp.tools.framework.kept import READ_TOOL

# Each with its files, which are imported when the toolset is first selected: most callers use two of eleven.
TOOLSETS: dict[str, tuple[str, ...]] = {
    "core": ("chat", "embeddings", "function_calling", "code", "moderation"),
    "models": ("models",),
    "agents": ("agents",),
    "classifiers": ("classifiers",),
    "files": ("files", "upload_requests", "kept_results"),
    "fine_tuning": ("fine_tuning",),
    "documents": ("documents",),
    "audio": ("audio",),
    "batch": ("batch",),
    "conversations": ("conversations",),
    "libraries": ("libraries",),
    "research": ("research",),
    "api": ("api",),
}

RETIRED = frozenset({"fine_tuning"})
"""Not part of `all`: Mistral answers its jobs with 410. It is selected by name, as in `all,fine_tuning`."""

DEFAULT = ("core", "models")
"""The default, if neither the operator nor the caller selects toolsets."""


@cache
def build(toolset: str, *, local_files: bool = False) -> tuple[MistralTool, ...]:
    """A toolset's tools with their schemas. `local_files`: with the parameters that name local files of the server."""
    tools = [MistralTool.of(declared) for declared in _declarations(toolset)]
    return tuple(tools if local_files else [tool.without_local_files() for tool in tools])


@cache
def reading_tool() -> MistralTool:
    """The tool that reads stored results of other tools."""
    from mistral_mcp.tools import kept_results  # noqa: PLC0415 - like every file, when it is needed

    return MistralTool.of(kept_results.toolset.declarations[0])


def build_all(*, local_files: bool = False) -> dict[str, tuple[MistralTool, ...]]:
    """Every tool of every toolset."""
    return {toolset: build(toolset, local_files=local_files) for toolset in TOOLSETS}


@cache
def names(toolsets: tuple[str, ...], *, read_only: bool) -> frozenset[str]:
    """The names of the tools that these toolsets offer."""
    declarations = [*chain.from_iterable(map(_declarations, toolsets))]
    offered = [declared for declared in declarations if declared.effect == "reads" or not read_only]
    # A stored result can be read, whatever toolset stored it.
    if any(declared.keeps_results for declared in offered):
        reading = [READ_TOOL]
    else:
        reading = []
    return frozenset([*(declared.name for declared in offered), *reading])


def toolset_of(tool: str) -> str | None:
    """The toolset of a tool; None if there is no such tool."""
    return next((name for name in TOOLSETS if any(tool in part.names() for part in _parts(name))), None)


def titles(toolset: str) -> list[str]:
    """The titles of a toolset's tools."""
    return [*chain.from_iterable(part.titles() for part in _parts(toolset))]


def _declarations(toolset: str) -> Iterator[Declaration]:
    return chain.from_iterable(part.declarations for part in _parts(toolset))


def _parts(toolset: str) -> Iterator[Toolset]:
    for file in TOOLSETS[toolset]:
        yield cast("Toolset", import_module(f"{__name__}.{file}").toolset)
