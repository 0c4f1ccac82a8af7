"""mistral_ocr, against the sandbox."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.client import Client
from mcp_types import ImageContent

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools import documents
from tests.conftest import in_memory, over_http, refuses_at_once, text_of

PDF = "https://example.com/report.pdf"


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with in_memory(mistral_url, toolsets="documents,files") as client:
        yield client


@pytest.fixture
async def at_home(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    """A client whose server may read a folder."""
    (tmp_path / "notes.txt").write_text("Some notes.")
    async with in_memory(mistral_url, toolsets="documents", files_dir=tmp_path) as client:
        yield client


def as_url(text: str) -> str:
    return f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}"


async def test_a_document_comes_as_markdown_page_by_page(client: Client) -> None:
    result = await client.call_tool("mistral_ocr", {"document": as_url("# One\fTwo")})

    assert result.structured_content == {
        "pages": [{"index": 0, "markdown": "# One"}, {"index": 1, "markdown": "Two"}],
        "model": "mistral-ocr-latest",
        "usage": {"pages_processed": 2, "doc_size_bytes": 9, "cost_usd": 0.008},
    }
    assert text_of(result) == "--- page 0 ---\n# One\n\n--- page 1 ---\nTwo"


async def test_blocks_are_never_asked_for(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_ocr", {"document": PDF})

    assert sandbox.requests[-1].json == {
        "model": "mistral-ocr-latest",
        "document": {"type": "document_url", "document_url": PDF},
        "include_blocks": False,
    }


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        (f"{PDF}?a=b.png", {"type": "document_url", "document_url": f"{PDF}?a=b.png"}),
        ("https://example.com/a.JPG?x=1", {"type": "image_url", "image_url": "https://example.com/a.JPG?x=1"}),
        (
            "data:image/png;base64,iVBORw0KGgo=",
            {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgo="},
        ),
        (as_url("x"), {"type": "document_url", "document_url": as_url("x")}),
        (
            "39737CB2-01d7-56ad-a3d0-50fff5a38b03",
            {"type": "file", "file_id": "39737cb2-01d7-56ad-a3d0-50fff5a38b03"},
        ),
    ],
)
async def test_a_document_is_sent_as_what_it_is(
    client: Client, sandbox: Sandbox, document: str, sent: dict[str, str]
) -> None:
    await client.call_tool("mistral_ocr", {"document": document})

    assert sandbox.requests[-1].json["document"] == sent


async def test_an_uploaded_file_is_read_by_its_id(client: Client) -> None:
    given = {"filename": "a.txt", "purpose": "ocr", "content": "Uploaded"}
    file = await client.call_tool("mistral_upload_file", given)
    result = await client.call_tool("mistral_ocr", {"document": file.structured_content["id"]})

    assert result.structured_content["pages"] == [{"index": 0, "markdown": "Uploaded"}]


@pytest.mark.parametrize("pages", [[0, 2], "0,2", "[0, 2]", "0,2-2"])
async def test_pages_are_chosen_as_a_list_or_as_ranges(client: Client, pages: object) -> None:
    result = await client.call_tool("mistral_ocr", {"document": PDF, "pages": pages})

    assert [page["index"] for page in result.structured_content["pages"]] == [0, 2]
    assert result.structured_content["usage"]["pages_processed"] == 2


async def test_tables_stand_where_they_stood(client: Client) -> None:
    result = await client.call_tool("mistral_ocr", {"document": PDF, "table_format": "html", "pages": [0]})

    markdown = result.structured_content["pages"][0]["markdown"]
    assert "<table>" in markdown
    assert ".html" not in markdown


async def test_images_are_attached_only_when_asked_for(client: Client) -> None:
    without = await client.call_tool("mistral_ocr", {"document": PDF})
    result = await client.call_tool("mistral_ocr", {"document": PDF, "include_images": True})

    assert len(without.content) == 1
    images = [block for block in result.content if isinstance(block, ImageContent)]
    assert images
    assert images[0].mime_type == "image/png"
    assert base64.b64decode(images[0].data).startswith(b"\x89PNG")


async def test_json_schema_gives_an_annotation_at_the_price_of_annotated_pages(
    client: Client, sandbox: Sandbox
) -> None:
    schema = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
    result = await client.call_tool("mistral_ocr", {"document": as_url("Total: 7"), "json_schema": schema})

    assert isinstance(result.structured_content["annotation"]["total"], int)
    assert result.structured_content["usage"]["cost_usd"] == 0.005
    assert sandbox.requests[-1].json["document_annotation_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize("annotation", ['{"total": "seven"}', "seven", "", None])
async def test_an_annotation_that_breaks_the_schema_is_an_error_that_shows_it(
    client: Client, sandbox: Sandbox, annotation: str | None
) -> None:
    page = {"index": 0, "markdown": "Seven", "images": [], "dimensions": None}
    usage = {"pages_processed": 1, "doc_size_bytes": None}
    reply = {"pages": [page], "model": "mistral-ocr-latest", "document_annotation": annotation, "usage_info": usage}
    sandbox.faults.append(Fault(status=200, body=reply))
    schema = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
    result = await client.call_tool("mistral_ocr", {"document": PDF, "json_schema": schema})

    assert result.is_error
    assert "does not fit json_schema" in text_of(result)
    assert (annotation or "") in text_of(result)


async def test_what_is_too_long_is_cut_between_pages_and_the_rest_can_be_asked_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "LONG", 250)
    book = as_url("\f".join(f"{number} " + "x" * 98 for number in range(9)))
    result = await client.call_tool("mistral_ocr", {"document": book})

    structured = result.structured_content
    assert [page["index"] for page in structured["pages"]] == [0, 1]
    assert (structured["truncated"], structured["next_pages"]) == (True, "2-8")
    assert 'Ask again with pages "2-8" for the rest' in text_of(result)
    rest = await client.call_tool("mistral_ocr", {"document": book, "pages": "2,4-5,7"})
    assert rest.structured_content["next_pages"] == "5,7"


async def test_a_page_that_is_too_long_by_itself_is_cut(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONG", 250)
    result = await client.call_tool("mistral_ocr", {"document": as_url("x" * 999)})

    assert len(result.structured_content["pages"][0]["markdown"]) == 250
    assert result.structured_content["truncated"]
    assert "the page is longer than fits here" in text_of(result)


async def test_a_file_of_the_servers_folder_goes_along(at_home: Client, sandbox: Sandbox) -> None:
    result = await at_home.call_tool("mistral_ocr", {"document": "notes.txt"})

    assert result.structured_content["pages"] == [{"index": 0, "markdown": "Some notes."}]
    assert sandbox.requests[-1].json["document"]["document_url"] == as_url("Some notes.")


async def test_a_file_too_large_to_go_along_is_to_be_uploaded_first(
    at_home: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_INLINE", 5)
    result = await at_home.call_tool("mistral_ocr", {"document": "notes.txt"})

    assert "Upload it with mistral_upload_file" in text_of(result)
    assert not sandbox.requests


@pytest.mark.parametrize("document", ["../notes.txt", "/etc/hostname", "file:///etc/hostname", "missing.txt"])
async def test_nothing_outside_the_folder_is_read(at_home: Client, sandbox: Sandbox, document: str) -> None:
    result = await at_home.call_tool("mistral_ocr", {"document": document})

    assert result.is_error
    assert not sandbox.requests


async def test_over_http_no_path_is_read(mistral_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Some notes.")
    async with over_http(mistral_url, toolsets="documents", files_dir=tmp_path) as client:
        result = await client.call_tool("mistral_ocr", {"document": "notes.txt"})

    assert "document is no https URL" in text_of(result)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "document is missing"),
        ({"document": ""}, "document is empty"),
        ({"document": "report.pdf"}, "document is no https URL, no data URL with base64, and no file id"),
        ({"document": "http://example.com/a.pdf"}, "document is no https URL"),
        ({"document": "data:application/pdf,abc"}, "document is no https URL"),
        ({"document": "data:application/pdf;base64,???"}, "The base64 of document cannot be decoded"),
        ({"document": PDF, "pages": "5-2"}, "pages are numbers and ranges, such as 0,2-4"),
        ({"document": PDF, "pages": "first"}, "pages are numbers and ranges, such as 0,2-4"),
        ({"document": PDF, "pages": "-"}, "pages are numbers and ranges, such as 0,2-4"),
        ({"document": PDF, "pages": [-1]}, "pages"),
        ({"document": PDF, "table_format": "csv"}, "must be markdown or html"),
        ({"document": PDF, "json_schema": {"type": "objekt"}}, "json_schema"),
        ({"document": PDF, "json_schema": {"$ref": "https://example.com/s.json"}}, "json_schema"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await refuses_at_once(client, sandbox, "mistral_ocr", arguments, sentence)


async def test_a_document_that_is_none_is_refused_with_mistrals_reason(client: Client) -> None:
    no_pdf = f"data:application/pdf;base64,{base64.b64encode(b'hello').decode()}"
    result = await client.call_tool("mistral_ocr", {"document": no_pdf})

    assert result.is_error
    assert "not a valid PDF" in text_of(result)
    assert result.meta["mistral-mcp/error"] == {"status": 400, "code": "3740"}
