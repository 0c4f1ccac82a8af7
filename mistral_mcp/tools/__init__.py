"""What the model can call: one line a toolset."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import cast

from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.declare import Toolset

# Each with its files. One is imported when its toolset is first selected: most callers want two of eleven.
TOOLSETS: dict[str, tuple[str, ...]] = {
    "core": ("chat", "embeddings", "function_calling", "code", "moderation"),
    "models": ("models",),
    "agents": ("agents",),
    "classifiers": ("classifiers",),
    "files": ("files",),
    "fine_tuning": ("fine_tuning",),
    "documents": ("documents",),
    "audio": ("audio",),
    "batch": ("batch",),
    "conversations": ("conversations",),
    "libraries": ("libraries",),
}

DEFAULT = ("core", "models")
"""What a caller gets who chooses nothing, where the operator did not choose either."""


@cache
def built(toolset: str, *, local_files: bool) -> tuple[MistralTool, ...]:
    """A toolset's tools, schemas made. `local_files`: with the parameters that name files of the server's."""
    declarations = [declared for part in _parts(toolset) for declared in part.declarations]
    tools = [MistralTool.of(declared) for declared in declarations]
    return tuple(tools if local_files else [tool.without_local_files() for tool in tools])


def build(*, local_files: bool = False) -> dict[str, tuple[MistralTool, ...]]:
    """Every tool of every toolset."""
    return {toolset: built(toolset, local_files=local_files) for toolset in TOOLSETS}


@cache
def offered(toolsets: tuple[str, ...], *, read_only: bool) -> frozenset[str]:
    """The names of the tools of these toolsets."""
    parts = (part for toolset in toolsets for part in _parts(toolset))
    return frozenset(name for part in parts for name in part.names(read_only=read_only))


def titles(toolset: str) -> list[str]:
    """What its tools are called where people read."""
    return [title for part in _parts(toolset) for title in part.titles()]


def _parts(toolset: str) -> Iterator[Toolset]:
    for file in TOOLSETS[toolset]:
        yield cast("Toolset", import_module(f"{__name__}.{file}").toolset)
