"""Text out of documents and images, page by page.

Source: `POST /v1/ocr`.
"""

from typing import Literal

from pydantic import Field, JsonValue

from mistral_mcp.mistral.call import Call, Maybe, Reply
from mistral_mcp.mistral.catalog import Per
from mistral_mcp.mistral.consumption import Meter

MODEL = "mistral-ocr-latest"


class Image(Reply):
    id: str
    image_base64: str | None = None
    image_annotation: str | None = None
    """JSON, as `bbox_annotation_format` asked for."""


class Table(Reply):
    id: str
    content: str = ""


class Confidence(Reply):
    """How sure the model is of a page, from 0 to 1."""

    average: float | None = Field(default=None, validation_alias="average_page_confidence_score")
    minimum: float | None = Field(default=None, validation_alias="minimum_page_confidence_score")
    words: Maybe[list[dict[str, JsonValue]]] = Field(default=None, validation_alias="word_confidence_scores")


class Page(Reply):
    index: int
    markdown: str = ""
    images: list[Image] | None = None
    tables: list[Table] | None = None
    header: str | None = None
    footer: str | None = None
    confidence_scores: Confidence | None = None
    blocks: list[dict[str, JsonValue]] | None = None


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
    pages: str | None = None
    include_image_base64: bool | None = None
    image_limit: int | None = None
    document_annotation_format: dict[str, JsonValue] | None = None
    document_annotation_prompt: str | None = None
    bbox_annotation_format: dict[str, JsonValue] | None = None
    table_format: Literal["markdown", "html"] | None = None
    extract_header: Literal[True] | None = None
    extract_footer: Literal[True] | None = None
    include_blocks: bool = False
    """Mistral's default is true, and repeats all of the text with its coordinates."""
    confidence_scores_granularity: Literal["page", "block", "word"] | None = None

    def measure(self, reply: OcrReply, meter: Meter) -> None:
        annotated = self.document_annotation_format or self.bbox_annotation_format
        per: Per = "1000 annotated pages" if annotated else "1000 pages"
        meter.add_units(reply.model or self.model, reply.usage_info.pages_processed, per)
