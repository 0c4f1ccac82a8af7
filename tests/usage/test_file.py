"""Usage over stdio, in a file that several processes share."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp_types import TextResourceContents

from mistral_mcp.usage.file import FileUsage
from mistral_mcp.usage.store import Batch
from mistral_mcp.usage.sums import Key, Sums
from tests.conftest import connect_over_stdio

KEY = Key("2026-11-28", "mistral_chat", "mistral-small-latest")


async def read_usage(client: Client) -> Any:
    [content] = (await client.read_resource("mistral://usage")).contents
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_it_survives_a_restart(mistral_url: str, tmp_path: Path):
    async with connect_over_stdio(mistral_url, data_dir=tmp_path) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
        before = await read_usage(client)
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
    async with connect_over_stdio(mistral_url, data_dir=tmp_path) as client:
        after = await read_usage(client)

    assert (before["month"]["calls"], after["month"]["calls"]) == (1, 2)
    assert after["month"]["cost_usd"] == pytest.approx(2 * before["month"]["cost_usd"])
    assert (tmp_path / "usage.db").stat().st_mode & 0o077 == 0


async def test_a_start_and_a_look_at_the_tools_write_nothing(mistral_url: str, tmp_path: Path):
    async with connect_over_stdio(mistral_url, data_dir=tmp_path) as client:
        await client.list_tools()
        usage = await read_usage(client)

    assert usage["month"]["calls"] == 0
    assert not names_in(tmp_path)


async def test_many_processes_add_up(tmp_path: Path):
    stores = [FileUsage(tmp_path / "new" / "usage.db") for _ in range(4)]

    async def add(store: FileUsage) -> None:
        for _ in range(10):
            await store.add(Batch({"me": {KEY: Sums(calls=1, prompt_tokens=7)}}))

    async with anyio.create_task_group() as group:
        for store in stores:
            group.start_soon(add, store)

    assert await stores[0].read("me", "2026-11-01") == {KEY: Sums(calls=40, prompt_tokens=280)}


@pytest.mark.parametrize("spoil", ["a folder", "no database"])
async def test_where_the_file_cannot_be_used_memory_has_it(tmp_path: Path, spoil: str):
    path = tmp_path / "usage.db"
    if spoil == "a folder":
        path.mkdir()
    else:
        path.write_text("This is no database, but it is long enough to be looked at." * 100)
    store = FileUsage(path)
    await store.add(Batch({"me": {KEY: Sums(calls=1)}}))
    await store.add(Batch({"me": {KEY: Sums(calls=1)}}))

    assert await store.read("me", "2026-11-01") == {KEY: Sums(calls=2)}
    assert await store.read("you", "2026-11-01") == {}


async def test_old_days_are_forgotten(tmp_path: Path):
    path = tmp_path / "usage.db"
    store = FileUsage(path)
    await store.add(Batch({"me": {KEY._replace(day="2020-01-01"): Sums(calls=1)}}))
    await store.add(Batch({"me": {KEY: Sums(calls=1)}}))

    with sqlite3.connect(path) as file:
        assert file.execute("SELECT day FROM usage").fetchall() == [("2026-11-28",)]
    file.close()
