"""What the model can call: one line a toolset."""

from functools import cache

from mistral_mcp.tools import (
    agents,
    audio,
    batch,
    chat,
    classifiers,
    code,
    conversations,
    documents,
    embeddings,
    files,
    fine_tuning,
    function_calling,
    libraries,
    models,
    moderation,
)
from mistral_mcp.tools._toolset import MistralTool, Toolset

TOOLSETS: dict[str, tuple[Toolset, ...]] = {
    "core": (chat.toolset, embeddings.toolset, function_calling.toolset, code.toolset, moderation.toolset),
    "models": (models.toolset,),
    "agents": (agents.toolset,),
    "classifiers": (classifiers.toolset,),
    "files": (files.toolset,),
    "fine_tuning": (fine_tuning.toolset,),
    "documents": (documents.toolset,),
    "audio": (audio.toolset,),
    "batch": (batch.toolset,),
    "conversations": (conversations.toolset,),
    "libraries": (libraries.toolset,),
}

DEFAULT = ("core", "models")
"""What a caller gets who chooses nothing, where the operator did not choose either."""


@cache
def build(*, local_files: bool = False) -> dict[str, list[MistralTool]]:
    """Every tool of every toolset, schemas made. `local_files`: with the parameters that name files of the server's."""
    return {
        name: [tool for part in parts for tool in part.build(local_files=local_files)]
        for name, parts in TOOLSETS.items()
    }


@cache
def offered(toolsets: tuple[str, ...], *, read_only: bool) -> frozenset[str]:
    """The names of the tools of these toolsets."""
    every = (tool for name in toolsets for tool in build()[name])
    return frozenset(tool.name for tool in every if not read_only or tool.reads_only)
