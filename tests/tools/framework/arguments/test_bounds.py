"""Every id and name that a tool takes has an upper bound, which is checked first."""

from collections.abc import Iterator
from typing import Any

import pytest

from mistral_mcp.errors import BadArgument
from mistral_mcp.masking import Mask
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.arguments import Shape
from tests.conftest import every_tool

TOOLS = {tool.name: tool for tool in every_tool()}

FREE = {
    "prompt", "system", "instructions", "suffix", "inputs", "query", "documents", "content", "content_base64", "text",
    "description", "arguments", "result", "images", "document", "ref_audio", "url",
}  # fmt: skip
"""Texts of people and models, and files in them: as long as a message may be."""

LONG = "x" * 100_000

Path = tuple[str, ...]


def texts(shape: Shape, path: Path = ()) -> Iterator[Path]:
    """The places of texts that are no free text; `[]` stands for an item."""
    if "string" in shape.types and next(part for part in reversed(path) if part != "[]") not in FREE:
        yield path
    if shape.items is not None:
        yield from texts(shape.items, (*path, "[]"))
    for name, member in (shape.members or {}).items():
        yield from texts(member, (*path, name))


def smallest_value(shape: Shape) -> Any:
    """A value of this shape with no more than it needs."""
    if shape.members is not None:
        return {name: smallest_value(shape.members[name]) for name in sorted(shape.required)}
    if "array" in shape.types and "string" not in shape.types:
        return [smallest_value(shape.items)] if shape.items else []
    return {"integer": 1, "number": 1, "boolean": True, "object": {}}.get(next(iter(shape.types), ""), "a")


def value_with_text(shape: Shape, path: Path, text: str) -> Any:
    """The smallest value that has this text at the place."""
    if not path:
        return text
    if path[0] == "[]":
        assert shape.items is not None
        return [value_with_text(shape.items, path[1:], text)]
    assert shape.members is not None
    return {**smallest_value(shape), path[0]: value_with_text(shape.members[path[0]], path[1:], text)}


def refuse_arguments(tool: MistralTool, arguments: dict[str, Any]) -> str:
    try:
        tool.arguments.read(arguments, list(tool.parameters["properties"]), Mask([]))
    except BadArgument as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_every_id_and_name_has_a_bound(name: str) -> None:
    tool = TOOLS[name]
    shape = tool.arguments.shape

    unbounded = [
        ".".join(path)
        for path in texts(shape)
        if path[0] in tool.parameters["properties"]  # a file's path is offered on one's own machine only
        and not any(
            words in refuse_arguments(tool, value_with_text(shape, path, LONG))
            for words in (
                "longer than",
                "must be",
                "has the wrong format",
                "are numbers and ranges",
                "no built-in",
            )
        )
    ]

    assert not unbounded
