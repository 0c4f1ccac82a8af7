"""The toolset `files`, against the sandbox."""

import base64
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from mistral_mcp.errors import BadArgument
from mistral_mcp.kept_results import MAX_BYTES
from mistral_mcp.local_files import open_local_file
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools.framework.kept import LONG
from tests.conftest import KEY, connect_in_memory, every_tool, expect_refusal_at_once, read_kept_file, text_of

BATCH = '{"custom_id": "a", "body": {"messages": []}}\n{"custom_id": "b", "body": {"messages": []}}\n'


@pytest.fixture
async def client(mistral_url: str, folder: Path, tmp_path: Path) -> AsyncIterator[Client]:
    async with connect_in_memory(
        mistral_url, toolsets="files", files_dir=folder, output_dir=tmp_path / "results"
    ) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that may be read, with a secret beside it."""
    folder = tmp_path / "open"
    (folder / "below").mkdir(parents=True)
    (folder / "notes.txt").write_text("Some notes.")
    (folder / "below" / "scan.txt").write_text("A scan.")
    (tmp_path / "secret.txt").write_text("Not for you.")
    return folder


@pytest.fixture
def traps(folder: Path) -> Iterator[None]:
    (folder / "link.txt").symlink_to("../secret.txt")
    (folder / "inside.txt").symlink_to("notes.txt")
    (folder / "away").symlink_to("..")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))  # an absolute one is too long
        yield


async def upload_file(client: Client, **arguments: object) -> str:
    given = {"filename": "notes.txt", "purpose": "ocr", **(arguments or {"content": "Some notes."})}
    result = await client.call_tool("mistral_upload_file", given)
    assert not result.is_error, text_of(result)
    return result.structured_content["id"]


async def test_what_is_uploaded_can_be_looked_up_read_linked_and_deleted(client: Client) -> None:
    file_id = await upload_file(client, content="Grüße")
    facts = await client.call_tool("mistral_get_file", {"file_id": file_id})
    read = await client.call_tool("mistral_download_file", {"file_id": file_id})
    link = await client.call_tool("mistral_get_file_url", {"file_id": file_id, "expiry_hours": 2})
    deleted = await client.call_tool("mistral_delete_file", {"file_id": file_id})
    gone = await client.call_tool("mistral_get_file", {"file_id": file_id})

    assert facts.structured_content["filename"] == "notes.txt"
    assert facts.structured_content["bytes"] == len("Grüße".encode())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", facts.structured_content["created_at"])
    assert f"{file_id}  notes.txt: ocr, 7 bytes, uploaded 20" in text_of(facts)
    assert read.structured_content == {"filename": "notes.txt", "text": "Grüße"}
    assert link.structured_content["url"].startswith("https://")
    assert link.structured_content["expires_in_hours"] == 2
    assert deleted.structured_content == {"id": file_id, "deleted": True}
    assert gone.is_error
    assert gone.meta["mistral-mcp/error"]["status"] == 404


async def test_an_upload_is_a_form_as_mistral_wants_it(client: Client, sandbox: Sandbox) -> None:
    await upload_file(client, content_base64=base64.b64encode(b"%PDF-1.4").decode(), filename="scan.pdf")

    received = sandbox.requests[-1]
    assert received.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert received.headers["content-length"] == str(len(received.body))
    assert b'name="purpose"\r\n\r\nocr\r\n' in received.body
    assert (
        b'name="file"; filename="scan.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.4\r\n' in received.body
    )


async def test_an_upload_that_failed_is_not_repeated(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503))
    result = await client.call_tool(
        "mistral_upload_file", {"filename": "a.txt", "purpose": "ocr", "content": "Some notes."}
    )

    assert result.is_error
    assert "check before retrying" in text_of(result)
    assert len(sandbox.requests) == 1


async def test_a_list_is_paged_and_filtered(client: Client) -> None:
    for number in range(3):
        await upload_file(client, filename=f"notes-{number}.txt", content="Some notes.")
    await upload_file(client, filename="lines.jsonl", purpose="batch", content=BATCH)
    first = await client.call_tool("mistral_list_files", {"page_size": 2, "purpose": "ocr"})
    last = await client.call_tool("mistral_list_files", {"page_size": 2, "purpose": "ocr", "page": 1})
    found = await client.call_tool("mistral_list_files", {"search": "lines"})

    assert first.structured_content["total"] == 3
    assert len(first.structured_content["files"]) == 2
    assert first.structured_content["next_page"] == 1
    assert "(3 in all; more on page 1)" in text_of(first)
    assert "next_page" not in last.structured_content
    assert [file["filename"] for file in found.structured_content["files"]] == ["lines.jsonl"]


async def test_nothing_found_is_said_in_words(client: Client) -> None:
    result = await client.call_tool("mistral_list_files", {"search": "nothing"})

    assert text_of(result) == "No files."
    assert result.structured_content == {"files": [], "total": 0}


async def test_bytes_are_kept(client: Client) -> None:
    file_id = await upload_file(client, filename="a b.bin", purpose="audio", content_base64="AAH//w==")
    result = await client.call_tool("mistral_download_file", {"file_id": file_id})

    kept = result.structured_content["kept"]
    assert "text" not in result.structured_content
    assert kept["bytes"] == 4
    assert read_kept_file(kept) == b"\x00\x01\xff\xff"
    assert kept["path"] in text_of(result)
    assert len(result.content) == 1


async def test_long_text_is_cut_and_read_on(client: Client) -> None:
    text = "word " * 10_000
    file_id = await upload_file(client, content=text)
    result = await client.call_tool("mistral_download_file", {"file_id": file_id})
    handle = result.structured_content["kept"]["handle"]
    rest = await client.call_tool("mistral_read_result", {"handle": handle, "offset": LONG, "limit": LONG})

    assert len(text_of(result)) < LONG + 500
    assert f"handle {handle}, offset {LONG}" in text_of(result)
    assert result.structured_content["text"] + rest.structured_content["text"] == text


async def test_what_is_too_large_to_be_kept_is_not_downloaded(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=200, body={"id": "x", "bytes": MAX_BYTES + 1}))
    result = await client.call_tool("mistral_download_file", {"file_id": "x"})

    assert result.is_error
    assert "mistral_get_file_url" in text_of(result)
    assert not sandbox.requests[-1].path.endswith("/content")


async def test_a_key_in_a_file_is_masked_like_anywhere_else(client: Client) -> None:
    file_id = await upload_file(client, content=f"key: {KEY}")
    result = await client.call_tool("mistral_download_file", {"file_id": file_id})

    assert text_of(result) == "key: [masked]"


async def test_a_file_that_shrinks_while_it_is_sent_is_said_so(folder: Path) -> None:
    async with open_local_file(folder, "notes.txt", max_bytes=100) as part:
        (folder / "notes.txt").write_text("Short")
        with pytest.raises(BadArgument, match="became shorter"):
            part.open().read(100), part.open().read()


@pytest.mark.parametrize("path", ["notes.txt", "below/scan.txt", "./below/scan.txt"])
async def test_a_file_in_the_folder_is_read(client: Client, folder: Path, path: str) -> None:
    file_id = await upload_file(client, path=path, filename="renamed.txt")
    result = await client.call_tool("mistral_download_file", {"file_id": file_id})

    assert result.structured_content == {"filename": "renamed.txt", "text": (folder / path).read_text()}


async def test_an_absolute_path_inside_the_folder_is_read(client: Client, folder: Path) -> None:
    assert await upload_file(client, path=str(folder / "notes.txt"))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("../secret.txt", "path leads out of the server's folder"),
        ("below/../../secret.txt", "path leads out of the server's folder"),
        ("/etc/passwd", "path leads out of the server's folder"),
        ("notes.txt\0.png", "path leads out of the server's folder"),
        ("link.txt", "leads through a link"),
        ("inside.txt", "leads through a link"),
        ("away/secret.txt", "leads through a link"),
        ("missing.txt", "There is no such file"),
        ("notes.txt/x", "path is not a regular file"),
        ("below", "path is not a regular file"),
        (".", "path does not name a file"),
        ("pipe", "path is not a regular file"),
        ("socket", "path is not a regular file"),
    ],
)
@pytest.mark.usefixtures("traps")
async def test_nothing_but_regular_files_in_the_folder_is_read(
    client: Client, sandbox: Sandbox, path: str, sentence: str
) -> None:
    with anyio.fail_after(5):
        result = await client.call_tool(
            "mistral_upload_file", {"filename": "a.txt", "purpose": "ocr", "path": path}
        )

    assert result.is_error
    assert sentence in text_of(result)
    assert "Not for you" not in text_of(result)
    assert not sandbox.requests


async def test_a_file_that_is_too_large_is_refused_by_its_size(
    client: Client, sandbox: Sandbox, folder: Path
) -> None:
    with (folder / "large.bin").open("wb") as large:
        large.truncate(512 * 1024 * 1024 + 1)
    result = await client.call_tool(
        "mistral_upload_file", {"filename": "large.bin", "purpose": "audio", "path": "large.bin"}
    )

    assert "larger than the 512 MB" in text_of(result)
    assert not sandbox.requests


async def test_without_a_folder_there_is_no_path_at_all(mistral_url: str, sandbox: Sandbox) -> None:
    async with connect_in_memory(mistral_url, toolsets="files") as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        result = await client.call_tool(
            "mistral_upload_file", {"filename": "a.txt", "purpose": "ocr", "path": "notes.txt"}
        )

    assert "path" not in listed["mistral_upload_file"].input_schema["properties"]
    assert "unknown argument 'path'" in text_of(result)
    assert "known are filename, purpose, content" in text_of(result)
    assert not sandbox.requests


async def test_with_a_folder_path_is_listed(client: Client) -> None:
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert "path" in listed["mistral_upload_file"].input_schema["properties"]


def test_only_what_is_marked_as_local_is_hidden() -> None:
    def properties(*, local_files: bool) -> dict[str, set[str]]:
        offered = every_tool(local_files=local_files)
        return {tool.name: set(tool.parameters["properties"]) for tool in offered}

    hidden = {
        name: properties(local_files=True)[name] - shown for name, shown in properties(local_files=False).items()
    }
    assert hidden["mistral_upload_file"] == {"path"}
    assert hidden["mistral_chat"] == set()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (['{"custom_id": "a", "body": {}}', "nonsense"], "Line 2 is not JSON"),
        (['{"custom_id": "a", "body": {}}', "", "[]"], "Line 3 has no body that is an object"),
        (['{"custom_id": "a"}'], "Line 1 has no body that is an object"),
        (['{"custom_id": 7, "body": {}}'], "Line 1 has a custom_id that is not a string"),
        (
            ['{"custom_id": "a", "body": {}}', '{"custom_id": "a", "body": {}}'],
            "Line 2 has the custom_id of line 1",
        ),
        (["[" * 100_000], "Line 1 is not JSON"),
        (["", ""], "The file is empty"),
    ],
)
async def test_a_batch_is_checked_line_by_line_before_it_is_sent(
    client: Client, sandbox: Sandbox, folder: Path, lines: list[str], sentence: str
) -> None:
    (folder / "batch.jsonl").write_text("\n".join(lines))
    arguments = {"filename": "batch.jsonl", "purpose": "batch"}
    inline = await client.call_tool("mistral_upload_file", arguments | {"content": "\n".join(lines)})
    local = await client.call_tool("mistral_upload_file", arguments | {"path": "batch.jsonl"})

    assert sentence in text_of(inline)
    assert text_of(local) == text_of(inline)
    assert not sandbox.requests


async def test_a_good_batch_is_sent_as_it_is(client: Client, sandbox: Sandbox, folder: Path) -> None:
    (folder / "batch.jsonl").write_text(BATCH)
    await upload_file(client, filename="batch.jsonl", purpose="batch", path="batch.jsonl")

    assert BATCH.encode() in sandbox.requests[-1].body


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("mistral_upload_file", {"purpose": "ocr", "content": "x"}, "filename is missing"),
        (
            "mistral_upload_file",
            {"filename": "a/b", "purpose": "ocr", "content": "x"},
            "filename: a file name has no",
        ),
        (
            "mistral_upload_file",
            {"filename": "a\r\nX: y", "purpose": "ocr", "content": "x"},
            "filename: a file name has no",
        ),
        (
            "mistral_upload_file",
            {"filename": "a", "purpose": "ocr"},
            "Exactly one of content, content_base64, path is needed",
        ),
        (
            "mistral_upload_file",
            {"filename": "a", "purpose": "ocr", "content": "x", "path": "y"},
            "given together",
        ),
        ("mistral_upload_file", {"filename": "a", "purpose": "x", "content": "x"}, "purpose must be batch"),
        ("mistral_upload_file", {"filename": "a", "purpose": "ocr", "content_base64": "???"}, "is not base64"),
        ("mistral_upload_file", {"filename": "a", "purpose": "ocr", "content_base64": "YQ=\n="}, "is not base64"),
        ("mistral_upload_file", {"filename": "a", "purpose": "ocr", "content_base64": "é"}, "is not base64"),
        ("mistral_get_file", {}, "file_id is missing"),
        ("mistral_get_file_url", {"file_id": "x", "expiry_hours": 169}, "expiry_hours must be at most 168"),
        ("mistral_list_files", {"page": -1}, "page must be at least 0"),
        ("mistral_list_files", {"page_size": 101}, "page_size must be at most 100"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, tool, arguments, sentence)


async def test_an_id_that_is_none_gets_mistrals_reason(client: Client) -> None:
    result = await client.call_tool("mistral_get_file", {"file_id": "nonsense"})

    assert result.is_error
    assert "valid UUID (field path.file_id)" in text_of(result)


@pytest.mark.parametrize("route", ["eu", "us"])
async def test_regions_carry_no_files(sandbox: Sandbox, route: str) -> None:
    async with connect_in_memory(route, toolsets="files") as client:
        result = await client.call_tool("mistral_list_files", {})

    assert "does not support this call" in text_of(result)
    assert f"route {route}" in text_of(result)
