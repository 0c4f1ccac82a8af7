"""Prompts that a person picks from a menu."""

from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from tests.conftest import KEY, TRANSPORTS, connect_in_memory, every_tool, serving


async def test_prompts_are_described_down_to_their_arguments(client: Client) -> None:
    prompts = (await client.list_prompts()).prompts

    assert len(prompts) >= 6
    for prompt in prompts:
        assert prompt.title
        assert prompt.description
        assert prompt.arguments
        assert all(argument.description for argument in prompt.arguments)


async def test_every_prompt_holds_what_was_given_and_names_tools_that_exist(client: Client) -> None:
    names = {tool.name for tool in every_tool()}
    for prompt in (await client.list_prompts()).prompts:
        given = {argument.name: f"given {argument.name}" for argument in prompt.arguments or []}
        [message] = (await client.get_prompt(prompt.name, given)).messages
        assert isinstance(message.content, TextContent)
        assert all(text in message.content.text for text in given.values())
        assert any(name in message.content.text for name in names)
        assert all(
            word.strip(".,") in names for word in message.content.text.split() if word.startswith("mistral_")
        )


@pytest.mark.parametrize("transport", ["in-memory", "http-2026", "http-2025"])
@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("translat", {}, "did you mean translate?"),
        ("translate", {"text": "x"}, "language is missing"),
        ("translate", {"text": "x", "language": "French", "tone": "dry"}, "unknown argument 'tone'"),
    ],
)
async def test_a_wrong_request_is_reported_as_a_wrong_parameter(
    mistral_url: str, transport: str, name: str, arguments: dict[str, Any], words: str
) -> None:
    async with TRANSPORTS[transport](mistral_url) as client:
        with pytest.raises(MCPError) as raised:
            await client.get_prompt(name, arguments)

    assert raised.value.error.code == -32602
    assert words in raised.value.error.message


@pytest.mark.parametrize("arguments", [5, 0, "abc", "", ["text"], True])
async def test_arguments_that_are_no_object_are_a_wrong_parameter(mistral_url: str, arguments: object) -> None:
    asked = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "prompts/get",
        "params": {"name": "translate", "arguments": arguments},
    }
    headers = {
        "X-API-Key": KEY,
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-06-18",
    }
    async with (
        serving(create_app(Settings.model_validate({"route": mistral_url}))) as base,
        httpx2.AsyncClient() as http,
    ):
        response = await http.post(f"{base}/mcp", headers=headers, json=asked)

    assert '"code":-32602' in response.text
    assert "The arguments of a prompt are an object." in response.text


async def test_names_of_arguments_are_cut_and_not_all_listed(client: Client) -> None:
    given = {"x" * 300_000: "1", **{f"unknown{number}": "1" for number in range(100)}}
    with pytest.raises(MCPError) as raised:
        await client.get_prompt("translate", given)

    assert len(raised.value.error.message) < 500


async def test_a_prompt_whose_tools_are_not_offered_is_neither_listed_nor_given(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, toolsets="models") as client:
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        with pytest.raises(MCPError, match="needs mistral_chat"):
            await client.get_prompt("translate", {"text": "x", "language": "French"})

    assert names == ["choose_model"]


async def test_an_argument_has_an_upper_bound(client: Client) -> None:
    with pytest.raises(MCPError, match="text is longer than 1,000,000 characters"):
        await client.get_prompt("translate", {"text": "x" * 1_000_001, "language": "French"})
