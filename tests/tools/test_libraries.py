"""The toolset `libraries`, against the sandbox."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools.framework.kept import LONG
from tests.conftest import KEY, connect_in_memory, expect_refusal_at_once, text_of

Process = Callable[[str, str], Awaitable[None]]

ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def client(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "notes.txt").write_text("Some notes.")
    async with connect_in_memory(mistral_url, toolsets="libraries", files_dir=tmp_path) as client:
        yield client


@pytest.fixture
async def library(client: Client) -> str:
    result = await client.call_tool("mistral_create_library", {"name": "Papers"})
    return result.structured_content["id"]


async def call_tool(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result.structured_content


@pytest.fixture
async def process(mistral_url: str) -> AsyncIterator[Process]:
    """Lets Mistral read a document; in the sandbox each look at its status takes that a step further."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=mistral_url, headers=headers) as http:

        async def process(library: str, document: str) -> None:
            for _ in range(3):
                await http.get(f"/v1/libraries/{library}/documents/{document}/status")

        yield process


async def add_document(client: Client, process: Process, library: str, content: str) -> str:
    document = await call_tool(
        client, "mistral_add_document", library_id=library, filename="a.txt", content=content
    )
    assert document["status"] == "todo"
    await process(library, document["id"])
    return document["id"]


async def test_a_library_is_made_listed_and_deleted(client: Client, sandbox: Sandbox) -> None:
    made = await client.call_tool("mistral_create_library", {"name": "Papers", "description": "All of them"})
    library = made.structured_content["id"]
    assert sandbox.requests[-1].json == {"name": "Papers", "description": "All of them"}
    assert text_of(made) == f"{library}  Papers (0 documents): All of them"

    listed = await call_tool(client, "mistral_list_libraries", search="pap")
    assert [(found["id"], found["documents"]) for found in listed["libraries"]] == [(library, 0)]
    assert await call_tool(client, "mistral_delete_library", library_id=library) == {
        "id": library,
        "deleted": True,
    }
    empty = await client.call_tool("mistral_list_libraries", {})
    assert text_of(empty) == "No libraries."


async def test_libraries_come_in_pages_by_token(client: Client) -> None:
    for number in range(3):
        await call_tool(client, "mistral_create_library", name=f"Library {number}")
    first = await client.call_tool("mistral_list_libraries", {"page_size": 2})
    token = first.structured_content["next_page_token"]
    assert f"(more with page_token {token})" in text_of(first)

    rest = await call_tool(client, "mistral_list_libraries", page_size=2, page_token=token)
    assert len(rest["libraries"]) == 1
    assert "next_page_token" not in rest


async def test_deleting_a_library_is_done_with_and_without_a_body(
    client: Client, sandbox: Sandbox, library: str
) -> None:
    sandbox.faults.append(Fault(status=204, body=b""))

    assert (await call_tool(client, "mistral_delete_library", library_id=library))["deleted"]


async def test_documents_are_added_listed_read_and_deleted(client: Client, library: str, process: Process) -> None:
    document = await add_document(client, process, library, "One\fTwo")
    listed = await client.call_tool("mistral_list_documents", {"library_id": library})
    found = listed.structured_content["documents"][0]
    assert (found["name"], found["status"], found["bytes"]) == ("a.txt", "done", 7)
    assert listed.structured_content["total"] == 1

    named = {"library_id": library, "document_id": document}
    whole = await call_tool(client, "mistral_get_document_text", **named)
    assert whole == {"text": "One\n\nTwo"}
    page = await call_tool(client, "mistral_get_document_text", **named, page_start=1, page_end=1)
    assert page["text"] == "Two"
    assert await call_tool(client, "mistral_delete_document", **named) == {"id": document, "deleted": True}
    assert (await call_tool(client, "mistral_list_documents", library_id=library))["documents"] == []


async def test_documents_come_in_pages(client: Client, library: str) -> None:
    for number in range(3):
        await call_tool(
            client, "mistral_add_document", library_id=library, filename=f"{number}.txt", content=str(number)
        )
    first = await client.call_tool("mistral_list_documents", {"library_id": library, "page_size": 2})

    assert first.structured_content["next_page"] == 1
    assert "(3 in all; more on page 1)" in text_of(first)
    rest = await call_tool(client, "mistral_list_documents", library_id=library, page_size=2, page=1)
    assert len(rest["documents"]) == 1
    assert "next_page" not in rest


@pytest.mark.parametrize(
    "given",
    [
        {"content": "Some notes."},
        {"content_base64": base64.b64encode(b"Some notes.").decode()},
        {"path": "notes.txt"},
    ],
)
async def test_a_document_comes_as_text_as_base64_or_from_the_servers_folder(
    client: Client, sandbox: Sandbox, library: str, given: dict[str, str]
) -> None:
    await call_tool(client, "mistral_add_document", library_id=library, filename="b.txt", **given)

    assert b'name="file"; filename="b.txt"' in sandbox.requests[-1].body
    assert b"Some notes." in sandbox.requests[-1].body
    assert sandbox.requests[-1].path == f"/v1/libraries/{library}/documents"


async def test_a_long_text_is_cut_and_read_on(client: Client, library: str, process: Process) -> None:
    text = "".join(f"{number} " for number in range(10_000)).strip()
    document = await add_document(client, process, library, text)
    read = await call_tool(client, "mistral_get_document_text", library_id=library, document_id=document)

    assert read["text"] == text[:LONG]
    rest = await call_tool(client, "mistral_read_result", handle=read["kept"]["handle"], offset=LONG)
    assert rest["text"] == text[LONG:]


async def test_a_document_without_text_yet_says_so(client: Client, library: str) -> None:
    document = await call_tool(client, "mistral_add_document", library_id=library, filename="a.txt", content="One")
    named = {"library_id": library, "document_id": document["id"]}
    result = await client.call_tool("mistral_get_document_text", named)

    assert "or none yet: mistral_list_documents shows the status" in text_of(result)


async def test_what_creates_is_not_repeated(client: Client, sandbox: Sandbox, library: str) -> None:
    for tool, arguments in (
        ("mistral_create_library", {"name": "Papers"}),
        ("mistral_add_document", {"library_id": library, "filename": "a.txt", "content": "One"}),
    ):
        before = len(sandbox.requests)
        sandbox.faults.append(Fault(status=503))
        result = await client.call_tool(tool, arguments)
        assert "check before retrying" in text_of(result)
        assert len(sandbox.requests) == before + 1


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("create_library", {}, "name is missing"),
        ("create_library", {"name": ""}, "name is empty"),
        ("list_libraries", {"page_size": 101}, "page_size must be at most 100"),
        ("list_documents", {"library_id": "../files"}, "library_id is not a valid id"),
        (
            "add_document",
            {"library_id": ID, "filename": "a.txt"},
            "Exactly one of content, content_base64, path is needed",
        ),
        (
            "add_document",
            {"library_id": ID, "filename": "a.txt", "content": "x", "path": "notes.txt"},
            "given together",
        ),
        ("add_document", {"library_id": ID, "filename": "a/b.txt", "content": "x"}, "a file name has no slashes"),
        (
            "add_document",
            {"library_id": ID, "filename": "a.txt", "content_base64": "?"},
            "content_base64 is not base64",
        ),
        (
            "add_document",
            {"library_id": ID, "filename": "a.txt", "path": "../x"},
            "path leads out of the server's folder",
        ),
        (
            "add_document",
            {"library_id": "a/b", "filename": "a.txt", "content": "x"},
            "library_id is not a valid id",
        ),
        ("get_document_text", {"library_id": ID, "document_id": "%2e%2e"}, "document_id is not a valid id"),
        ("delete_document", {"library_id": ID}, "document_id is missing"),
        ("delete_library", {"library_id": ".."}, "library_id is not a valid id"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, f"mistral_{tool}", arguments, sentence)
