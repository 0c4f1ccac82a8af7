"""What the tools cost a context: name, description and input schema as compact JSON, in tekken tokens."""

import json
from pathlib import Path

import mistral_common
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from mistral_mcp import tools

_PEER = {"default": 3_797, "all": 11_554}
"""The npm peer's core and admin profiles, measured the same way on 2026-11-21."""


def costs() -> dict[str, dict[str, int]]:
    """Tokens of each tool, by toolset."""
    tokenizer = Tekkenizer.from_file(Path(mistral_common.__file__).parent / "data" / "tekken_240911.json")
    found: dict[str, dict[str, int]] = {}
    for toolset, offered in tools.build().items():
        for tool in offered:
            seen = {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
            text = json.dumps(seen, separators=(",", ":"), ensure_ascii=False)
            found.setdefault(toolset, {})[tool.name] = len(tokenizer.encode(text, bos=False, eos=False))
    return found


async def measure() -> list[str]:
    found = costs()
    lines = [f"{sum(each.values()):>6}  {toolset}" for toolset, each in found.items()]
    default = sum(sum(found[name].values()) for name in tools.DEFAULT)
    everything = sum(sum(each.values()) for each in found.values())
    lines.append(f"{default:>6}  default toolsets, {default / _PEER['default']:.2f}x the peer's")
    lines.append(f"{everything:>6}  all toolsets, {everything / _PEER['all']:.2f}x the peer's")
    return lines
