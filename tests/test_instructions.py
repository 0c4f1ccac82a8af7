"""The server's instructions to clients."""

import re
from itertools import chain, combinations

import pytest

from mistral_mcp import tools
from mistral_mcp.instructions import MAX_CHARACTERS, instructions
from tests.conftest import TRANSPORTS, connect_in_memory, every_tool, text_of

NAMES = sorted(tool.name for tool in every_tool())


@pytest.mark.parametrize(
    "toolsets", list(chain.from_iterable(combinations(tools.TOOLSETS, count) for count in (1, 2, 12)))
)
@pytest.mark.parametrize("read_only", [False, True])
def test_they_are_short_and_name_only_what_is_offered(toolsets: tuple[str, ...], *, read_only: bool) -> None:
    offered = tools.names(toolsets, read_only=read_only)
    text = instructions(offered)

    assert 0 < len(text) <= MAX_CHARACTERS
    assert set(re.findall(r"mistral_[a-z_]+", text)) <= offered


def test_everything_offered_is_still_within_the_limit() -> None:
    assert 300 < len(instructions(frozenset(NAMES))) <= MAX_CHARACTERS


@pytest.mark.parametrize("transport", ["in-memory", "stdio", "stdio-2025", "http-2025"])
async def test_a_caller_reads_of_their_own_tools(mistral_url: str, transport: str) -> None:
    async with TRANSPORTS[transport](mistral_url, toolsets="models") as client:
        text = client.instructions

    assert text is not None
    assert "mistral_list_models" in text
    assert "mistral_chat" not in text


async def test_the_server_names_its_own_project(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url) as client:
        info = client.server_info

    assert info.name == "mistral-mcp"
    assert info.title == "mistral-mcp"
    assert info.website_url == "https://github.com/mistral-mcp/mistral-mcp"
    assert info.icons


@pytest.mark.parametrize(
    ("toolsets", "words"),
    [("core", "in the toolset models, which is not selected here"), ("core,models", "mistral_list_models")],
)
async def test_an_error_names_only_tools_that_are_offered(mistral_url: str, toolsets: str, words: str) -> None:
    async with connect_in_memory(mistral_url, toolsets=toolsets) as client:
        offered = {tool.name for tool in (await client.list_tools()).tools}
        text = text_of(await client.call_tool("mistral_chat", {"prompt": "x", "model": "nope"}))

    assert words in text
    assert "correlation id" in text
    assert set(re.findall(r"mistral_[a-z_]+", text)) <= offered
