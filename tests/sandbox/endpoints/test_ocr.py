"""OCR: the pages, their options, and the rejected requests."""

import base64
import json

import httpx2
import pytest
from mistralai.client import Mistral

MODEL = "mistral-ocr-latest"
LINK = {"type": "document_url", "document_url": "https://example.com/report.pdf"}
PERSON = {
    "type": "json_schema",
    "json_schema": {"name": "P", "schema": {"type": "object", "properties": {"title": {"type": "string"}}}},
}


def data(kind: str, content: bytes) -> dict:
    return {"type": "document_url", "document_url": f"data:{kind};base64,{base64.b64encode(content).decode()}"}


@pytest.fixture
def read(api: httpx2.AsyncClient):
    async def ask(document: dict = LINK, **fields: object) -> httpx2.Response:
        return await api.post("/v1/ocr", json={"model": MODEL, "document": document, **fields})

    return ask


async def test_a_linked_document_has_three_pages_that_are_always_the_same(sdk: Mistral):
    first, second = [await sdk.ocr.process_async(model=MODEL, document=LINK) for _ in range(2)]
    assert [page.index for page in first.pages] == [0, 1, 2]
    assert first.pages[0].markdown.startswith("Sandbox report\n\n# report.pdf, page 1")
    assert first == second
    assert (first.usage_info.pages_processed, first.document_annotation) == (3, None)


async def test_an_uploaded_file_and_its_signed_link_are_read(sdk: Mistral):
    pages = b"%PDF-1.4 << /Type /Pages >> << /Type /Page >> << /Type/Page >>"
    file = await sdk.files.upload_async(file={"file_name": "two.pdf", "content": pages}, purpose="ocr")
    link = await sdk.files.get_signed_url_async(file_id=file.id)
    for document in ({"type": "file", "file_id": file.id}, {"type": "document_url", "document_url": link.url}):
        reply = await sdk.ocr.process_async(model=MODEL, document=document)
        assert "two.pdf" in reply.pages[1].markdown
        assert (len(reply.pages), reply.usage_info.doc_size_bytes) == (2, len(pages))


async def test_a_text_is_read_as_it_is(read):
    pages = (await read(data("text/plain", b"# Title\n\nOne\fTwo"))).json()["pages"]
    assert [page["markdown"] for page in pages] == ["# Title\n\nOne", "Two"]
    assert [block["type"] for block in pages[0]["blocks"]] == ["title", "text"]


async def test_an_image_is_one_page(read):
    image = {"type": "image_url", "image_url": "https://example.com/receipt.png"}
    assert len((await read(image)).json()["pages"]) == 1


@pytest.mark.parametrize(
    ("pages", "expected"), [([2, 0], [2, 0]), ("0,1", [0, 1]), ("1-5", [1, 2]), ("0, 2-2", [0, 2]), ([7], [])]
)
async def test_pages_can_be_chosen(pages: object, expected: list, read):
    reply = await read(pages=pages)
    assert [page["index"] for page in reply.json()["pages"]] == expected
    assert reply.headers["x-ratelimit-ocr-pages-query-cost"] == str(len(expected))


async def test_blocks_are_there_unless_they_are_not_wanted(read):
    full, small = (await read()), (await read(include_blocks=False))
    assert {block["type"] for block in full.json()["pages"][0]["blocks"]} >= {"header", "title", "table", "image"}
    assert small.json()["pages"][0]["blocks"] is None
    assert len(full.content) > 2 * len(small.content)


async def test_tables_headers_and_footers_can_be_taken_out(read):
    page = (await read(table_format="html", extract_header=True, extract_footer=True)).json()["pages"][0]
    assert page["tables"][0]["id"] in page["markdown"]
    assert page["tables"][0]["content"].startswith("<table>")
    assert (page["header"], page["footer"]) == ("Sandbox report", "Page 1")
    assert "Sandbox report" not in page["markdown"]
    assert "| Item | Amount |" in (await read()).json()["pages"][0]["markdown"]


async def test_images_come_with_their_data_if_wanted(read):
    assert (await read()).json()["pages"][0]["images"][0]["image_base64"] is None
    image = (await read(include_image_base64=True)).json()["pages"][0]["images"][0]
    assert image["image_base64"].startswith("data:image/png;base64,")
    for none in ({"image_limit": 0}, {"image_min_size": 500}):
        assert (await read(**none)).json()["pages"][0]["images"] == []


async def test_annotations_are_strings_of_json_that_fit_the_schema(sdk: Mistral):
    reply = await sdk.ocr.process_async(
        model=MODEL, document=LINK, document_annotation_format=PERSON, bbox_annotation_format=PERSON
    )
    assert isinstance(json.loads(reply.document_annotation)["title"], str)
    assert isinstance(json.loads(reply.pages[0].images[0].image_annotation)["title"], str)


@pytest.mark.parametrize("granularity", ["page", "word", "block"])
async def test_confidence_is_reported_as_fine_as_asked(granularity: str, sdk: Mistral):
    reply = await sdk.ocr.process_async(model=None, document=LINK, confidence_scores_granularity=granularity)
    page = reply.pages[0]
    assert (page.confidence_scores is None) == (granularity == "block")
    assert bool(page.confidence_scores and page.confidence_scores.word_confidence_scores) == (
        granularity == "word"
    )
    assert bool(page.blocks[0].confidence_scores) == (granularity == "block")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (data("application/pdf", b"no pdf"), "3740"),
        (data("application/pdf", b"%PDF-1.4" + b"/Type /Page " * 1001), "3730"),
        ({"type": "document_url", "document_url": "https://nothing.invalid/a.pdf"}, "3310"),
        ({"type": "document_url", "document_url": "data:application/pdf;base64,!!"}, "3310"),
        ({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}, "3310"),
    ],
)
async def test_what_cannot_be_read_is_400_with_a_code(document: dict, code: str, read):
    reply = await read(document)
    assert (reply.status_code, reply.json()["code"]) == (400, code)


async def test_a_missing_file_is_404_and_another_model_400(read):
    missing = {"type": "file", "file_id": "00000000-0000-0000-0000-000000000000"}
    assert (await read(missing)).status_code == 404
    assert (await read(model="mistral-small-latest")).json()["code"] == "1500"


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "x"},
        {"pages": "1-"},
        {"pages": "3-1"},
        {"pages": [-1]},
        {"document": {"type": "document_url", "document_url": "http://example.com/a.pdf"}},
        {"document": {"type": "file", "file_id": "x"}},
        {"document_annotation_prompt": "x"},
        {"document_annotation_format": {"type": "json_object"}},
        {"table_format": "csv"},
    ],
)
async def test_what_does_not_fit_is_422(fields: dict, read):
    reply = await read(**{"document": LINK, **fields})
    assert (reply.status_code, reply.json()["type"]) == (422, "invalid_request_error")


OFFICE = {"type": "document_url", "document_url": "https://example.com/report.docx"}


@pytest.mark.parametrize("ending", ["docx", "pptx"])
async def test_images_of_office_documents_come_in_base64_or_not_at_all(ending: str, read):
    document = {"type": "document_url", "document_url": f"https://example.com/report.{ending}?x=1"}
    refused = await read(document)
    assert (refused.status_code, refused.json()["message"][:30]) == (400, f"For .{ending} files, extracted ima")
    assert (await read(document, image_limit=0)).status_code == 200
    assert (await read(document, include_image_base64=True)).status_code == 200


async def test_an_office_document_is_known_by_its_type_too(read):
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert (await read(data(kind, b"PK"))).status_code == 400


async def test_an_annotation_can_be_null_though_it_was_requested(read):
    body = (await read(model="sandbox-null-annotation", document_annotation_format=PERSON)).json()
    assert body["document_annotation"] is None
    assert body["pages"][0]["markdown"]


async def test_a_document_can_be_one_long_page(read):
    (page,) = (await read(model="sandbox-long-page")).json()["pages"]
    assert len(page["markdown"]) > 60_000


async def test_the_schema_of_an_annotation_has_no_annotations_of_its_own(read):
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
    asked = {"type": "json_schema", "json_schema": {"name": "P", "schema": schema}}
    for name in ("document_annotation_format", "bbox_annotation_format"):
        assert "Unimplemented keys" in (await read(**{name: asked})).json()["message"]
