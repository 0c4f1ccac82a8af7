"""Reading long results in parts."""

import time

import pytest
from mcp.client import Client

from tests.conftest import connect_in_memory


async def keep(client: Client, text: str) -> str:
    """The handle of a kept text."""
    upload = {"filename": "a.txt", "purpose": "ocr", "content": text}
    file = await client.call_tool("mistral_upload_file", upload)
    read = await client.call_tool("mistral_download_file", {"file_id": (file.structured_content or {})["id"]})
    handle: str = (read.structured_content or {})["kept"]["handle"]
    return handle


async def test_a_search_takes_no_longer_for_a_phrase_that_nearly_matches_everywhere(mistral_url: str) -> None:
    """It took 200 comparisons for each character, during which nobody else was served."""
    async with connect_in_memory(mistral_url, toolsets="files") as client:
        handle = await keep(client, "a" * 4_000_000)
        began = time.monotonic()
        result = await client.call_tool("mistral_read_result", {"handle": handle, "search": "a" * 199 + "b"})

    assert result.is_error
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("phrase", ["Needle", "NEEDLE", "istanbul", "οδοσ"])
async def test_a_phrase_is_found_in_any_case_and_anywhere(mistral_url: str, phrase: str) -> None:
    before = "x" * (256 * 1024 - 3)
    async with connect_in_memory(mistral_url, toolsets="files") as client:
        handle = await keep(client, f"{before}needle \u0130STANBUL ΟΔΟΣ {before} needle")
        arguments = {"handle": handle, "search": phrase}
        found = (await client.call_tool("mistral_read_result", arguments)).structured_content or {}

    assert len(before) <= found["found"][0] < len(before) + 30
