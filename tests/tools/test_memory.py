"""A call that has ended leaves nothing behind that only the collector of cycles would find: it comes seldom, and
what a call holds may be large.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import pytest

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import connect_in_memory, text_of

pytestmark = pytest.mark.anyio


@contextmanager
def forbid_cycles() -> Generator[None]:
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        found = [each.f_code for each in gc.garbage if isinstance(each, FrameType)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert [code.co_qualname for code in found if "/mistral_mcp/" in code.co_filename] == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mistral_chat", {"prompt": "Hello"}),
        ("mistral_chat", {"prompt": "Hello", "model": ["no", "text"]}),
        ("mistral_embed", {"inputs": ["Hello"] * 3000}),
        ("mistral_compare", {"prompt": "Hello", "models": ["mistral-small-latest", "mistral-large-latest"]}),
        ("mistral_list_files", {}),
    ],
)
async def test_a_failed_call_leaves_no_frame_to_the_collector(
    mistral_url: str, sandbox: Sandbox, tool: str, arguments: dict[str, object]
) -> None:
    async with connect_in_memory(mistral_url, toolsets="all", max_retries=0) as client:
        await client.call_tool(tool, arguments)
        sandbox.faults.append(Fault(status=500, times=None))
        with forbid_cycles():
            result = await client.call_tool(tool, arguments)

    assert result.is_error


async def test_a_comparison_of_which_one_part_failed_leaves_none_either(
    mistral_url: str, sandbox: Sandbox
) -> None:
    arguments = {"prompt": "Hello", "models": ["mistral-small-latest", "mistral-large-latest"]}
    async with connect_in_memory(mistral_url, toolsets="all", max_retries=0) as client:
        await client.call_tool("mistral_compare", arguments)
        sandbox.faults.append(Fault(status=500))
        with forbid_cycles():
            result = await client.call_tool("mistral_compare", arguments)

    assert "error" in text_of(result)
