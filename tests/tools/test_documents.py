"""mistral_ocr, against the sandbox."""

import base64
from collections.abc import AsyncIterator, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import ImageContent

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools.framework import attached_files
from mistral_mcp.tools.framework.documents import reading
from tests.conftest import connect_in_memory, connect_over_http, expect_refusal_at_once, read_kept_file, text_of

PDF = "https://example.com/report.pdf"


@pytest.fixture
async def client(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with connect_in_memory(
        mistral_url, toolsets="documents,files", output_dir=tmp_path / "results"
    ) as client:
        yield client


@pytest.fixture
async def client_with_folder(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    """A client whose server may read a folder."""
    (tmp_path / "notes.txt").write_text("Some notes.")
    async with connect_in_memory(mistral_url, toolsets="documents", files_dir=tmp_path) as client:
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


async def test_only_what_was_requested_is_sent(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_ocr", {"document": PDF})

    assert sandbox.requests[-1].json == {
        "model": "mistral-ocr-latest",
        "document": {"type": "document_url", "document_url": PDF},
        "pages": "0-7",
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


async def test_images_are_attached_only_when_requested(client: Client) -> None:
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


SCHEMA = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [('{"total": "seven"}', {"total": "seven"}), ("seven", "seven"), ("", None), (None, None)],
)
async def test_pages_are_shown_though_the_annotation_does_not_fit(
    client: Client, sandbox: Sandbox, annotation: str | None, shown: object
) -> None:
    page = {"index": 0, "markdown": "Seven", "images": [], "dimensions": None}
    usage = {"pages_processed": 1, "doc_size_bytes": None}
    reply = {
        "pages": [page],
        "model": "mistral-ocr-latest",
        "document_annotation": annotation,
        "usage_info": usage,
    }
    sandbox.faults.append(Fault(status=200, body=reply))
    result = await client.call_tool("mistral_ocr", {"document": PDF, "json_schema": SCHEMA})

    assert not result.is_error
    assert result.structured_content["pages"] == [{"index": 0, "markdown": "Seven"}]
    assert result.structured_content.get("annotation") == shown
    assert result.structured_content["annotation_errors"]
    assert "does not match json_schema" in text_of(result)
    assert "Seven" in text_of(result)


def make_book(pages: int, each: int = 98) -> str:
    return as_url("\f".join(f"{number:3} " + "x" * each for number in range(pages)))


async def read_all(client: Client, document: str) -> list[dict[str, Any]]:
    """What a caller gets who goes on with `next_pages` until there are none."""
    results: list[dict[str, Any]] = []
    following: str | None = None
    while following is not None or not results:
        asked = {"document": document} | ({"pages": following} if following else {})
        result = await client.call_tool("mistral_ocr", asked)
        assert not result.is_error, text_of(result)
        assert len(text_of(result)) < reading.LONG + 1_000
        results.append(result.structured_content)
        following = result.structured_content.get("next_pages")
        assert (following is None) or f'ask again with pages "{following}"' in text_of(result)
    return results


@pytest.mark.parametrize(("pages", "each"), [(1, 98), (8, 98), (9, 98), (100, 98), (100, 2_500), (300, 4_000)])
async def test_every_page_of_a_document_is_paid_for_once(client: Client, pages: int, each: int) -> None:
    results = await read_all(client, make_book(pages, each))

    assert sum(result["usage"]["pages_processed"] for result in results) == pages
    kept = [result["kept"] for result in results if "kept" in result]
    pages_read = chain.from_iterable(result["pages"] for result in results)
    shown = [page["index"] for page in pages_read]
    assert kept or shown == list(range(pages))
    assert len(results) <= pages * (each + 500) // reading.LONG + 2


async def test_pages_that_were_requested_are_read_as_far_as_they_fit(client: Client) -> None:
    result = await client.call_tool("mistral_ocr", {"document": make_book(60, 4_000), "pages": "3-40,50"})

    structured = result.structured_content
    assert structured["usage"]["pages_processed"] == len(structured["pages"]) == 9
    assert structured["next_pages"] == "12-40,50"


async def test_what_was_read_is_shown_though_a_later_request_fails(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=200, body=_reply(range(8))))
    sandbox.faults.append(Fault(status=400))
    result = await client.call_tool("mistral_ocr", {"document": PDF})

    assert not result.is_error, text_of(result)
    assert len(result.structured_content["pages"]) == 8
    assert result.structured_content["next_pages"] == "8-999"


def _reply(pages: Iterable[int]) -> dict[str, Any]:
    read = [{"index": index, "markdown": f"Page {index}"} for index in pages]
    return {"pages": read, "model": "mistral-ocr-latest", "usage_info": {"pages_processed": len(read)}}


async def test_a_page_longer_than_a_result_is_kept_and_read_on(client: Client, sandbox: Sandbox) -> None:
    text = "".join(f"{number} " for number in range(12_000))
    result = await client.call_tool("mistral_ocr", {"document": as_url(text)})
    asked = len(sandbox.requests)

    structured = result.structured_content
    handle = structured["kept"]["handle"]
    assert len(text_of(result)) < reading.LONG + 500
    assert f"handle {handle}" in text_of(result)
    assert "next_pages" not in structured
    last = await client.call_tool("mistral_read_result", {"handle": handle, "search": "11999"})
    assert last.structured_content["text"].rstrip().endswith("11999")
    assert text.rstrip() in read_kept_file(structured["kept"]).decode()
    assert len(sandbox.requests) == asked


async def test_an_annotation_is_made_of_the_whole_document(client: Client, sandbox: Sandbox) -> None:
    result = await client.call_tool("mistral_ocr", {"document": make_book(60, 4_000), "json_schema": SCHEMA})

    assert "pages" not in sandbox.requests[-1].json
    assert result.structured_content["usage"]["pages_processed"] == 60
    assert "next_pages" not in result.structured_content
    assert read_kept_file(result.structured_content["kept"]).decode().count("--- page") == 60


async def test_headers_confidence_and_blocks_come_with_their_page(client: Client, sandbox: Sandbox) -> None:
    asked = {"document": PDF, "pages": [0], "header_footer": True, "confidence": "word", "blocks": True}
    page = (await client.call_tool("mistral_ocr", asked)).structured_content["pages"][0]

    assert (page["header"], page["footer"]) == ("Sandbox report", "Page 1")
    assert 0 < page["confidence"]["minimum"] <= page["confidence"]["average"] <= 1
    assert page["confidence"]["words"][0]["text"]
    assert page["blocks"][0]["type"] == "header"
    sent = sandbox.requests[-1].json
    assert (sent["extract_header"], sent["extract_footer"], sent["include_blocks"]) == (True, True, True)
    assert sent["confidence_scores_granularity"] == "word"


async def test_figures_are_described(client: Client) -> None:
    result = await client.call_tool("mistral_ocr", {"document": PDF, "pages": "0", "figures": True})

    [figure] = result.structured_content["figures"]
    assert (figure["page"], figure["id"]) == (0, "img-0.png")
    assert isinstance(figure["description"], str)
    assert f"[img-0.png, page 0: {figure['description']}]" in text_of(result)
    assert result.structured_content["usage"]["cost_usd"] == 0.005
    assert len(result.content) == 1


async def test_a_figure_that_no_host_shows_is_kept(client: Client, sandbox: Sandbox) -> None:
    reply = _reply([0])
    reply["pages"][0]["images"] = [{"id": "a.tiff", "image_base64": "data:image/tiff;base64,SUkqAA=="}]
    sandbox.faults.append(Fault(status=200, body=reply))
    result = await client.call_tool("mistral_ocr", {"document": PDF, "include_images": True})

    kept = result.structured_content["figures"][0]["kept"]
    assert kept["mime_type"] == "image/tiff"
    assert read_kept_file(kept) == b"II*\0"
    assert len(result.content) == 1


async def test_instructions_go_with_the_schema(client: Client, sandbox: Sandbox) -> None:
    asked = {"document": PDF, "json_schema": SCHEMA, "instructions": "Only the grand total."}
    await client.call_tool("mistral_ocr", asked)

    assert sandbox.requests[-1].json["document_annotation_prompt"] == "Only the grand total."


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        ("https://example.com/report.docx", 0),
        ("https://example.com/slides.PPTX?v=2", 0),
        (
            "data:application/vnd.openxmlformats-officedocument.wordprocessingml.document;base64,UEsDBA==",
            0,
        ),
        (PDF, None),
    ],
)
async def test_office_documents_are_read_without_their_pictures(
    client: Client, sandbox: Sandbox, document: str, limit: int | None
) -> None:
    await client.call_tool("mistral_ocr", {"document": document})
    assert sandbox.requests[0].json.get("image_limit") == limit

    sandbox.requests.clear()
    await client.call_tool("mistral_ocr", {"document": document, "include_images": True})
    assert "image_limit" not in sandbox.requests[0].json


async def test_an_office_document_known_by_its_id_alone_is_requested_again(
    client: Client, sandbox: Sandbox
) -> None:
    message = (
        "For .docx files, extracted images can only be returned in base64. Try setting `image_limit=0` instead."
    )
    sandbox.faults.append(Fault(status=400, body={"object": "error", "message": message, "code": None}))
    await client.call_tool("mistral_ocr", {"document": "39737cb2-01d7-56ad-a3d0-50fff5a38b03"})

    assert [request.json.get("image_limit") for request in sandbox.requests] == [None, 0]


async def test_a_file_of_the_servers_folder_goes_along(client_with_folder: Client, sandbox: Sandbox) -> None:
    result = await client_with_folder.call_tool("mistral_ocr", {"document": "notes.txt"})

    assert result.structured_content["pages"] == [{"index": 0, "markdown": "Some notes."}]
    assert sandbox.requests[-1].json["document"]["document_url"] == as_url("Some notes.")


async def test_a_file_too_large_to_go_along_is_to_be_uploaded_first(
    client_with_folder: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached_files, "INLINE", 5)
    result = await client_with_folder.call_tool("mistral_ocr", {"document": "notes.txt"})

    assert "larger than" in text_of(result)
    assert not sandbox.requests


@pytest.mark.parametrize("document", ["../notes.txt", "/etc/hostname", "file:///etc/hostname", "missing.txt"])
async def test_nothing_outside_the_folder_is_read(
    client_with_folder: Client, sandbox: Sandbox, document: str
) -> None:
    result = await client_with_folder.call_tool("mistral_ocr", {"document": document})

    assert result.is_error
    assert not sandbox.requests


async def test_over_http_no_path_is_read(mistral_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Some notes.")
    async with connect_over_http(mistral_url, toolsets="documents", files_dir=tmp_path) as client:
        result = await client.call_tool("mistral_ocr", {"document": "notes.txt"})

    assert "document is not an https URL" in text_of(result)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "document is missing"),
        ({"document": ""}, "document is empty"),
        ({"document": "report.pdf"}, "document is not an https URL, a data URL with base64, or a file id"),
        ({"document": "http://example.com/a.pdf"}, "document is not an https URL"),
        ({"document": "data:application/pdf,abc"}, "document is not an https URL"),
        ({"document": "data:application/pdf;base64,???"}, "The base64 of document cannot be decoded"),
        ({"document": PDF, "pages": "5-2"}, "begins with the smaller number"),
        ({"document": PDF, "pages": "0-99999"}, "pages are numbers and ranges"),
        ({"document": PDF, "instructions": "x"}, "json_schema too"),
        ({"document": PDF, "pages": "first"}, "pages are numbers and ranges, such as 0,2-4"),
        ({"document": PDF, "pages": [-1]}, "pages"),
        ({"document": PDF, "table_format": "csv"}, "must be markdown or html"),
        ({"document": PDF, "json_schema": {"type": "objekt"}}, "json_schema"),
        ({"document": PDF, "json_schema": {"$ref": "https://example.com/s.json"}}, "json_schema"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, "mistral_ocr", arguments, sentence)


async def test_a_document_that_is_none_is_refused_with_mistrals_reason(client: Client) -> None:
    no_pdf = f"data:application/pdf;base64,{base64.b64encode(b'hello').decode()}"
    result = await client.call_tool("mistral_ocr", {"document": no_pdf})

    assert result.is_error
    assert "not a valid PDF" in text_of(result)
    assert result.meta["mistral-mcp/error"] == {"status": 400, "code": "3740"}
