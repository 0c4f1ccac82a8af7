"""The tokens that the tools use in a context: name, description and input schema as compact JSON, in tekken tokens."""

import json
from functools import cache
from pathlib import Path
from typing import cast

import mistral_common
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from benchmarks.bench import Bench, Contender
from benchmarks.processes import start_process
from benchmarks.rows import Goal, Row
from benchmarks.start import LIST
from benchmarks.wire import Json
from mistral_mcp import tools


def costs() -> dict[str, dict[str, int]]:
    """Tokens of each tool, by toolset."""
    found: dict[str, dict[str, int]] = {}
    for toolset, offered in tools.build_all().items():
        for tool in offered:
            seen: Json = {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
            found.setdefault(toolset, {})[tool.name] = _tokens(seen)
    return found


@cache
def _tokenizer() -> Tekkenizer:
    return Tekkenizer.from_file(Path(mistral_common.__file__).parent / "data" / "tekken_240911.json")


def count(text: str) -> int:
    """The tokens of a text."""
    return len(_tokenizer().encode(text, bos=False, eos=False))


def _tokens(tool: Json) -> int:
    return count(json.dumps(tool, separators=(",", ":"), ensure_ascii=False))


_VISIBLE_MEMBERS = ("name", "description", "inputSchema")
"""The members of a tool that most hosts show to a model."""


async def _list_tools(contender: Contender) -> tuple[int, int]:
    """The bytes of the tools/list that a client receives, and the tokens that a model reads."""
    async with start_process(contender.stdio, contender.environment) as server:
        await server.initialize()
        line = await server.ask(LIST)
    offered = cast("list[Json]", cast("dict[str, Json]", json.loads(line))["result"]["tools"])
    return len(line), sum(_tokens({name: tool.get(name) for name in _VISIBLE_MEMBERS}) for tool in offered)


async def measure(bench: Bench) -> list[Row]:
    default, every = await _list_tools(bench.ours()), await _list_tools(bench.ours(toolsets="all"))
    theirs = {peer.name: await _list_tools(peer) for peer in bench.peers}
    all_theirs = {peer.name: await _list_tools(peer.with_all_tools()) for peer in bench.peers}
    rows: list[Row] = []
    for kind, ours, limit, peers in (("default", default, 1_500, theirs), ("all", every, 6_000, all_theirs)):
        rows.append(Row(f"tools/list, {kind} toolsets", "tokens", ours[1], goal=Goal(limit, of="ours")))
        rows.append(Row(f"tools/list, {kind} toolsets, whole", "bytes", ours[0]))
        for name, (size, tokens) in peers.items():
            rows.append(Row(f"tools/list, {kind} toolsets", "tokens", ours[1], name, tokens))
            rows.append(Row(f"tools/list, {kind} toolsets, whole", "bytes", ours[0], name, size))
    return rows
