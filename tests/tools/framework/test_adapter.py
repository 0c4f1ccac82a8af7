"""What holds for every tool: its description, and its error messages."""

import json
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from jsonschema import Draft202012Validator
from mcp.client import Client
from mcp.server.mcpserver import MCPServer

from mistral_mcp import Settings, tools
from mistral_mcp.credentials import from_key
from mistral_mcp.kept_results import MemoryStore
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral, Served
from mistral_mcp.tools.framework.results import Result
from mistral_mcp.tools.framework.slim_schema import KEYWORDS
from mistral_mcp.usage.ledger import Ledger, digest_of_key
from mistral_mcp.usage.store import MemoryUsage
from tests.conftest import KEY, connect_in_memory, every_tool, text_of

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
TOOLS = every_tool()


def name_of(tool: MistralTool) -> str:
    return tool.name


def describe(tool: MistralTool) -> dict[str, object]:
    assert tool.annotations is not None
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "annotations": tool.annotations.model_dump(by_alias=True, exclude_none=True),
        "inputSchema": tool.parameters,
        "outputSchema": tool.output_schema,
    }


@pytest.mark.parametrize("tool", TOOLS, ids=name_of)
def test_what_a_client_sees_is_what_was_reviewed(tool: MistralTool) -> None:
    """A changed schema is a diff in review; accept it with `UPDATE_SNAPSHOTS=1 make test`."""
    path = SNAPSHOTS / f"{tool.name}.json"
    now = json.dumps(describe(tool), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == now


def test_no_snapshot_is_left_of_a_tool_that_is_gone() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == {tool.name for tool in TOOLS}


@pytest.mark.parametrize("tool", TOOLS, ids=name_of)
def test_a_tool_tells_all_a_client_needs(tool: MistralTool) -> None:
    hints = tool.annotations
    assert tool.name.startswith("mistral_")
    assert len(tool.name) <= 40
    assert tool.title
    assert tool.description
    assert hints is not None
    assert {hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint} <= {
        True,
        False,
    }
    assert not (hints.read_only_hint and hints.destructive_hint)
    assert tool.output_schema is not None
    assert tool.output_schema["type"] == "object"


@pytest.mark.parametrize("tool", TOOLS, ids=name_of)
def test_output_schemas_are_valid_and_flat(tool: MistralTool) -> None:
    assert tool.output_schema is not None
    Draft202012Validator.check_schema(tool.output_schema)
    assert "$ref" not in json.dumps(tool.output_schema)


# What nobody can name the members of.
FREE = {"json_schema", "parameters", "body", "metadata", "arguments"}


def find_unusual_keywords(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """What a vendor's function calling may refuse, change or not know."""
    yield from (f"{path}: {keyword}" for keyword in schema.keys() - KEYWORDS)
    if not isinstance(schema.get("type"), str):
        yield f"{path}: no type of its own"
    if schema.get("type") == "array" and not schema.get("items", {}).get("type"):
        yield f"{path}: items without a type"
    if (
        schema.get("type") == "object"
        and path
        and not schema.get("properties")
        and path.rsplit(".", maxsplit=1)[-1] not in FREE
    ):
        yield f"{path}: an object without members"
    for name, member in schema.get("properties", {}).items():
        yield from find_unusual_keywords(member, f"{path}.{name}")
    if "items" in schema:
        yield from find_unusual_keywords(schema["items"], f"{path}[]")


@pytest.mark.parametrize("local_files", [False, True])
@pytest.mark.parametrize("toolset", tools.TOOLSETS)
def test_input_schemas_hold_only_what_every_vendor_takes(toolset: str, *, local_files: bool) -> None:
    for tool in tools.build(toolset, local_files=local_files):
        Draft202012Validator.check_schema(tool.parameters)
        assert tool.parameters["type"] == "object"
        assert "properties" in tool.parameters
        assert not list(find_unusual_keywords(tool.parameters))


@pytest.mark.parametrize("tool", TOOLS, ids=name_of)
def test_parameters_are_described(tool: MistralTool) -> None:
    silent = {name for name, schema in tool.parameters["properties"].items() if "description" not in schema}
    assert not silent


async def test_an_unknown_argument_is_refused_with_the_known_ones(mistral_url: str, sandbox: Sandbox) -> None:
    async with connect_in_memory(mistral_url) as client:
        result = await client.call_tool("mistral_get_model", {"model": "x", "zzz": 1})

    assert result.is_error
    assert "unknown argument 'zzz' (known are model)" in text_of(result)
    assert not sandbox.requests


async def test_a_name_of_an_argument_is_masked_and_cut(mistral_url: str) -> None:
    named = f"{'x' * 50}{KEY}{'y' * 300_000}"
    async with connect_in_memory(mistral_url) as client:
        result = await client.call_tool("mistral_get_model", {"model": "x", named: 1})
        nested = await client.call_tool("mistral_chat", {"messages": [{"role": "user", named: 1}]})

    for refused in (result, nested):
        assert refused.is_error
        assert "x" * 50 in text_of(refused) or "messages[0]" in text_of(refused)
        assert KEY[:8] not in text_of(refused)
        assert len(text_of(refused)) < 500


async def test_without_a_key_tools_are_listed_and_calls_say_how_to_set_it(
    mistral_url: str, sandbox: Sandbox
) -> None:
    async with connect_in_memory(mistral_url, key=None) as client:
        assert len((await client.list_tools()).tools) == 9
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    assert result.is_error
    assert "MISTRAL_API_KEY is not set" in text_of(result)
    assert not sandbox.requests


async def test_a_refused_key_is_named_by_its_source_and_not_shown(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, key="invalid-key-0123456789") as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    text = text_of(result)
    assert result.is_error
    assert "MISTRAL_API_KEY" in text
    assert "invalid-key" not in text
    assert result.meta["mistral-mcp/error"] == {"status": 401}


class Counted(Result):
    """What a slow tool gives."""

    count: int

    def to_text(self) -> str:
        return str(self.count)


async def test_what_only_computes_ends_at_the_deadline_too(mistral_url: str) -> None:
    slow = Toolset()

    @slow.tool("Count", effect="reads")
    async def mistral_count(mistral: Mistral, to: int) -> Counted:
        """Count, and let others have their turn."""
        for _ in range(to):
            await anyio.lowlevel.checkpoint()
        return Counted(count=to)

    settings = Settings.model_validate({"route": mistral_url, "timeout": 0.2})

    ledger = Ledger(MemoryUsage(), digest_of_key)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[Served]:
        yield Served(settings, from_key(KEY), Upstream(settings), MemoryStore(60), None, ledger, None)

    server = MCPServer(
        "slow", tools=[MistralTool.of(declared) for declared in slow.declarations], lifespan=lifespan
    )
    with anyio.fail_after(20):
        async with Client(server) as client:
            short = await client.call_tool("mistral_count", {"to": 1})
            long = await client.call_tool("mistral_count", {"to": 1_000_000_000})

    assert short.structured_content == {"count": 1}
    assert long.is_error
    assert "0.2" in text_of(long)
