"""Presets of toolsets to choose from, and what each choice costs in tokens of context."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import anyio

from mistral_mcp import tools
from mistral_mcp.hosting.web.forms import Form
from mistral_mcp.selection import AllowedToolsets
from mistral_mcp.tools import DEFAULT, RETIRED, TOOLSETS

OWN = "own"
"""The value for toolsets ticked one by one."""
KEEP = "keep"
"""The value that keeps the toolsets of a connection without a choice."""

PRESETS: dict[str, tuple[str, ...]] = {
    "essentials": DEFAULT,
    "documents": (*DEFAULT, "files", "documents", "audio"),
    "everything": tuple(name for name in TOOLSETS if name not in RETIRED),
}

# Characters of a tool's definition for each token of Tekken, Mistral's tokenizer; a test checks it.
_CHARACTERS_PER_TOKEN = 4.1
_ROUNDED_TO = 50


@dataclass(frozen=True)
class Choice:
    """A name of `PRESETS`, or a toolset."""

    name: str
    toolsets: tuple[str, ...]
    tokens: int


async def offer_presets(bound: AllowedToolsets) -> list[Choice]:
    """The presets that differ, within the operator's toolsets."""
    offered: dict[tuple[str, ...], str] = {}
    for name, wanted in PRESETS.items():
        within = tuple(toolset for toolset in bound.allowed if toolset in wanted)
        if within:
            offered.setdefault(within, name)
    costs = await count_tokens()
    return [Choice(name, toolsets, _add_up(toolsets, costs)) for toolsets, name in offered.items()]


async def offer_toolsets(bound: AllowedToolsets) -> list[Choice]:
    costs = await count_tokens()
    return [Choice(name, (name,), _add_up((name,), costs)) for name in bound.allowed]


async def count_tokens() -> dict[str, int]:
    """Tokens by toolset. The first call builds every tool, which takes a second in a thread."""
    return await anyio.to_thread.run_sync(_count_tokens)


@cache
def _count_tokens() -> dict[str, int]:
    return {toolset: _estimate(toolset) for toolset in TOOLSETS}


def _estimate(toolset: str) -> int:
    """Tokens of name, description and input schema, which clients show to a model."""
    characters = 0
    for tool in tools.build(toolset):
        shown = {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
        characters += len(json.dumps(shown, separators=(",", ":"), ensure_ascii=False))
    return round(characters / _CHARACTERS_PER_TOKEN)


def _add_up(toolsets: Sequence[str], costs: dict[str, int]) -> int:
    total = sum(costs[name] for name in toolsets)
    return max(round(total / _ROUNDED_TO), 1) * _ROUNDED_TO


def preset_of(toolsets: Sequence[str], presets: Sequence[Choice]) -> str:
    """The preset that is exactly these toolsets, else `own`."""
    return next((preset.name for preset in presets if set(preset.toolsets) == set(toolsets)), OWN)


def read_toolsets(form: Form, allowed: Sequence[str]) -> tuple[str, ...]:
    """The toolsets chosen in a form: a preset, or toolsets one by one."""
    wanted = PRESETS.get(form.one("preset"))
    if wanted is None:
        return tuple(form.all("toolsets"))
    return tuple(name for name in allowed if name in wanted)
