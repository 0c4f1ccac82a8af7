"""Text out of documents and images, page by page.

Source: `POST /v1/ocr`.
"""

from typing import Literal

from pydantic import JsonValue

from mistral_mcp.mistral.call import Call, Reply

MODEL = "mistral-ocr-latest"


class Image(Reply):
    id: str
    image_base64: str | None = None


class Table(Reply):
    id: str
    content: str = ""


class Page(Reply):
    index: int
    markdown: str = ""
    images: list[Image] | None = None
    tables: list[Table] | None = None


class OcrUsage(Reply):
    pages_processed: int = 0
    doc_size_bytes: int | None = None


class OcrReply(Reply):
    pages: list[Page]
    model: str = ""
    document_annotation: str | None = None
    usage_info: OcrUsage = OcrUsage()


class OcrCall(Call[OcrReply]):
    path = "/v1/ocr"
    repeatable = True

    model: str
    document: dict[str, JsonValue]
    pages: str | list[int] | None = None
    include_image_base64: bool | None = None
    document_annotation_format: dict[str, JsonValue] | None = None
    table_format: Literal["markdown", "html"] | None = None
    include_blocks: Literal[False] = False
    """Mistral's default is true, and repeats all of the text with its coordinates."""
