"""`POST /v1/ocr`."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field

from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.answers.read_pages import Granularity, PageOptions, read_page
from mistral_mcp.sandbox.protocol.documents import Document
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import ApiError, invalid_body, invalid_request, unreadable_file
from mistral_mcp.sandbox.protocol.messages import DocumentURLChunk, FileChunk, ImageURLChunk, ResponseFormat
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.rules import is_readable_image
from mistral_mcp.sandbox.protocol.schema_rules import check_schema
from mistral_mcp.sandbox.protocol.strict import Count, Strict
from mistral_mcp.sandbox.state.documents import fetch_document, open_upload
from mistral_mcp.sandbox.state.fine_tuned_models import require_model

DEFAULT_MODEL = "mistral-ocr-latest"
OFFICE = (".docx", ".pptx")
LONG_PAGE = "\n".join(f"Line {number} of a page that is longer than it looks." for number in range(1_300))
SPAN = re.compile(r"^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$")


class OcrRequest(Strict):
    model: str | None
    document: Annotated[FileChunk | DocumentURLChunk | ImageURLChunk, Field(discriminator="type")]
    pages: str | list[int] | None = None
    include_image_base64: bool | None = None
    image_limit: Count | None = None
    image_min_size: Count | None = None
    bbox_annotation_format: ResponseFormat | None = None
    document_annotation_format: ResponseFormat | None = None
    document_annotation_prompt: str | None = None
    table_format: Literal["markdown", "html"] | None = None
    extract_header: bool = False
    extract_footer: bool = False
    include_blocks: bool = True
    confidence_scores_granularity: Granularity | None = None


def recognise(call: Call) -> Reply:
    """Return the requested pages of the document. 400 or 422 if it cannot be read or an option is invalid."""
    body = call.body(OcrRequest)
    model = require_model(call.account, body.model or DEFAULT_MODEL, "ocr")
    for name in ("bbox_annotation_format", "document_annotation_format"):
        _check_format(getattr(body, name), name)
    if body.document_annotation_prompt is not None and body.document_annotation_format is None:
        message = "document_annotation_prompt needs a document_annotation_format"
        raise _invalid_value(message, "document_annotation_prompt", body.document_annotation_prompt)

    meter = call.account.meter(model.id)
    meter.admit()

    document = _document(call, body)
    _check_office_images(document, body)
    options = _page_options(body)
    pages = [read_page(document, index, options) for index in _select_pages(body.pages, len(document.pages))]

    reply = {
        "pages": pages,
        "model": body.model or DEFAULT_MODEL,
        "document_annotation": _annotation(body, pages),
        "usage_info": {"pages_processed": len(pages), "doc_size_bytes": document.size},
    }
    return json_reply(reply, headers=meter.unit_headers("ocr-pages", len(pages)))


def _document(call: Call, body: OcrRequest) -> Document:
    if body.model == "sandbox-long-page":
        return Document("long.txt", [LONG_PAGE])
    return _open_document(call, body)


def _open_document(call: Call, body: OcrRequest) -> Document:
    match body.document:
        case FileChunk(file_id=file_id):
            return open_upload(call.account, file_id)
        case DocumentURLChunk(document_url=url, document_name=name):
            if not url.startswith(("https://", "data:application/", "data:text/", "data:image/")):
                message = (
                    "Document content must be a URL (starting with 'https') or base64 encoded document (starting with "
                    f"'data:application/<format>;base64,<document-base64>')Received: {url[:50]}..."
                )
                raise _invalid_value(message, "document", url[:100])
            return fetch_document(call.account, url, name)
        case ImageURLChunk() as chunk:
            if not is_readable_image(chunk.url):
                raise unreadable_file(f"Image could not be loaded from url: {chunk.url[:100]}")
            data = chunk.url.partition(";base64,")[2]
            size = None
            if data:
                size = len(data) * 3 // 4
            return Document("image", [None], size, is_image=True)


def _check_office_images(document: Document, body: OcrRequest) -> None:
    """400 for an office document whose images are wanted, but not as base64."""
    ending = next((ending for ending in OFFICE if document.name.lower().endswith(ending)), None)
    if ending and not body.include_image_base64 and body.image_limit != 0:
        raise invalid_request(
            f"For {ending} files, extracted images can only be returned in base64. If you don't want images, try setting "
            "`image_limit=0` instead."
        )


def _page_options(body: OcrRequest) -> PageOptions:
    boxes = body.bbox_annotation_format
    return PageOptions(
        table_format=body.table_format,
        extract_header=body.extract_header,
        extract_footer=body.extract_footer,
        blocks=body.include_blocks,
        images=body.image_limit,
        min_image_size=body.image_min_size or 0,
        image_data=bool(body.include_image_base64),
        image_schema=boxes and boxes.json_schema and boxes.json_schema.schema_,
        confidence=body.confidence_scores_granularity,
    )


def _select_pages(pages: str | list[int] | None, number: int) -> list[int]:
    """The indices of the requested pages. Pages that the document does not have are ignored."""
    if pages is None:
        return list(range(number))
    if isinstance(pages, list):
        if any(index < 0 for index in pages):
            raise _invalid_value("pages are numbered from 0", "pages", pages)
        return [index for index in dict.fromkeys(pages) if index < number]
    wanted: list[int] = []
    for part in pages.split(","):
        span = SPAN.match(part)
        if span is None or int(span[2] or span[1]) < int(span[1]):
            raise _invalid_value("pages must be numbers and ranges such as '0,2-4'", "pages", pages)
        wanted += range(int(span[1]), min(int(span[2] or span[1]) + 1, number))
    return list(dict.fromkeys(index for index in wanted if index < number))


def _annotation(body: OcrRequest, pages: list[dict[str, Any]]) -> str | None:
    wanted = body.document_annotation_format
    if wanted is None or wanted.json_schema is None or body.model == "sandbox-null-annotation":
        return None
    hints = Hints("\n".join(page["markdown"] for page in pages))
    return json.dumps(fill_schema(wanted.json_schema.schema_, hints), ensure_ascii=False)


def _check_format(wanted: ResponseFormat | None, name: str) -> None:
    if wanted is not None and wanted.json_schema is not None:
        check_schema(wanted.json_schema.schema_, "response")
    elif wanted is not None:
        raise _invalid_value("only response formats of type json_schema are supported", name, wanted.type)


def _invalid_value(message: str, name: str, value: Any) -> ApiError:
    return invalid_body(
        [
            {
                "type": "value_error",
                "loc": ["body", name],
                "msg": f"Value error, {message}",
                "input": value,
            }
        ]
    )


ENDPOINTS = (Endpoint("POST", "/v1/ocr", recognise),)
