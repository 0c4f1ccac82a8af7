"""Toolset `documents`: text out of scans, PDFs, slides and images."""

import json
import re
from typing import Annotated, Literal

from mcp_types import ContentBlock, ImageContent
from pydantic import BaseModel, Field, JsonValue, PrivateAttr

from mistral_mcp.errors import BadArgument
from mistral_mcp.json_schema import CallerSchema, compile_schema, find_errors, json_in
from mistral_mcp.mistral.api import ocr
from mistral_mcp.mistral.api.chat import response_format_of
from mistral_mcp.mistral.catalog import Per
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.attached_files import MAX_SOURCE, document_chunk, is_office_document
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.documents.page_ranges import Pages, format_pages
from mistral_mcp.tools.framework.documents.pages import OcrPage
from mistral_mcp.tools.framework.documents.reading import Reading, read_document
from mistral_mcp.tools.framework.estimates.documents import estimate_document
from mistral_mcp.tools.framework.estimates.estimate import Estimate
from mistral_mcp.tools.framework.file_content import decode_base64
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.model_capability import needs_capability
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, MaybeJson, Result, UnitUsage, unit_cost_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

MAX_IMAGES = 20
"""Images attached to one result."""
MAX_ATTACHED = 4 * 1024 * 1024
"""Characters of base64 of all attached images; further ones are stored."""
SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_FIGURE_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "description": {"type": "string", "description": "What the figure shows, with its figures and labels."}
    },
    "required": ["description"],
    "additionalProperties": False,
}
_DATA_IMAGE = re.compile(r"(?:data:(image/[\w.+-]+);base64,)?(.+)", re.DOTALL)


class Figure(BaseModel):
    """A picture on a page."""

    page: int
    id: str
    description: Maybe[str] = None
    kept: Maybe[Kept] = Field(default=None, description="where it is, if it is not attached")


class OcrUsage(UnitUsage):
    pages_processed: int
    doc_size_bytes: Maybe[int] = None


class Ocr(Result):
    """The document as Markdown, page by page."""

    pages: list[OcrPage]
    next_pages: Maybe[str] = Field(default=None, description="`pages` to ask for next")
    annotation: MaybeJson = Field(default=None, description="what json_schema asked for")
    annotation_errors: Maybe[list[str]] = Field(default=None, description="how it breaks json_schema")
    figures: Maybe[list[Figure]] = None
    kept: Maybe[Kept] = Field(
        default=None, description="all pages that were read, where they are too long to show"
    )
    model: str
    usage: OcrUsage

    _images: list[ImageContent] = PrivateAttr(default_factory=list[ImageContent])

    def to_text(self) -> str:
        if self.annotation is not None:
            parts = [json.dumps(self.annotation, ensure_ascii=False)]
        else:
            parts = []
        if self.annotation_errors:
            parts.append(f"The annotation does not match json_schema: {'; '.join(self.annotation_errors)}.")
        parts += [page.text() for page in self.pages]
        parts += [f"[{figure.id}, page {figure.page}: {figure.description}]" for figure in self._describe()]
        if self.kept is not None:
            parts.append(self.kept.note(sum(len(page.text()) for page in self.pages)))
        if self.next_pages is not None:
            parts.append(f'[There may be more: ask again with pages "{self.next_pages}".]')
        return "\n\n".join(parts) or "The document has no such pages."

    def extra_content(self) -> list[ContentBlock]:
        return list(self._images)

    def attach(self, image: str) -> bool:
        """Attach an image, if clients can show its format and there is room; whether it was attached."""
        found = _DATA_IMAGE.fullmatch(image)
        if found is None or len(self._images) >= MAX_IMAGES:
            return False
        if sum(len(attached.data) for attached in self._images) + len(found[2]) > MAX_ATTACHED:
            return False
        mime_type = found[1] or "image/jpeg"
        if mime_type not in SHOWN_IMAGES:
            return False
        self._images.append(ImageContent(type="image", mime_type=mime_type, data=found[2]))
        return True

    def _describe(self) -> list[Figure]:
        return [figure for figure in self.figures or () if figure.description]


@toolset.tool("Read a document (OCR)", effect="reads", charge=Charge(model=ocr.MODEL, asks_dry_run=True))
async def mistral_ocr(
    mistral: Mistral,
    kept_results: KeptResults,
    document: Annotated[
        str,
        Field(description="https URL, data URL, file id, handle or path.", min_length=1, max_length=MAX_SOURCE),
    ],
    pages: Annotated[Pages | None, Field(description='Pages from 0, such as "0-5,9".')] = None,
    json_schema: Annotated[
        parameters.JsonSchema, Field(description="JSON Schema of data to extract as `annotation`.")
    ] = None,
    instructions: Annotated[
        str | None, Field(description="What to look for, with json_schema.", max_length=100_000)
    ] = None,
    table_format: Annotated[Literal["markdown", "html"] | None, Field(description="Format of tables.")] = None,
    figures: Annotated[bool, Field(description="Describe each figure.")] = False,
    header_footer: Annotated[bool, Field(description="Separate headers and footers.")] = False,
    confidence: Annotated[
        Literal["page", "block", "word"] | None, Field(description="Add confidence scores.")
    ] = None,
    blocks: Annotated[bool, Field(description="Add layout blocks with coordinates.")] = False,
    include_images: Annotated[bool, Field(description="Attach the figures as images.")] = False,
    model: parameters.Model = None,
    dry_run: parameters.DryRun = None,
) -> Ocr | Estimate:
    """Read PDFs, scans, slides, office documents and photos as Markdown; with json_schema, also as data.

    Each page is paid for once: go on with next_pages, and with mistral_read_result where text is kept.
    """
    if instructions is not None and json_schema is None:
        raise BadArgument("instructions need json_schema, which is missing.", "Give json_schema too.")
    if json_schema is not None:
        schema = await compile_schema(json_schema, where="json_schema")
    else:
        schema = None
    chunk = await document_chunk(mistral, document, "document")
    annotated = schema is not None or figures
    if dry_run:
        return await estimate_document(
            mistral, chunk, pages, model or ocr.MODEL, annotated=annotated, at_once=schema is not None
        )
    without_images = is_office_document(chunk) and not include_images and not figures
    call = ocr.OcrCall(
        model=model or ocr.MODEL,
        document=chunk,
        include_image_base64=include_images or None,
        image_limit=0 if without_images else None,
        document_annotation_format=response_format_of(json_schema),
        document_annotation_prompt=instructions,
        bbox_annotation_format=response_format_of(_FIGURE_SCHEMA, name="figure") if figures else None,
        table_format=table_format,
        extract_header=header_footer or None,
        extract_footer=header_footer or None,
        include_blocks=blocks or confidence == "block",
        confidence_scores_granularity=confidence,
    )
    async with needs_capability(mistral, call.model, "ocr"):
        reading = await read_document(mistral, call, pages)
    read = [OcrPage.of(page) for page in reading.pages]
    shown = _fitting_pages(read)
    annotation, errors = await _annotation(reading.annotation, schema)
    result = Ocr(
        pages=shown,
        next_pages=format_pages(reading.next_pages) or None,
        annotation=annotation,
        annotation_errors=errors or None,
        kept=None if shown == read else await _keep(kept_results, read),
        model=reading.model,
        usage=_usage(mistral, reading, annotated=annotated),
    )
    if figures or include_images:
        await _add_figures(result, reading.pages, kept_results)
    return result


def _fitting_pages(pages: list[OcrPage]) -> list[OcrPage]:
    """The first pages that a result can show; the beginning of the first, if it is too long."""
    shown: list[OcrPage] = []
    room = LONG
    for page in pages:
        room -= page.size
        if room < 0:
            break
        shown.append(page)
    if pages and not shown:
        return [OcrPage(index=pages[0].index, markdown=pages[0].markdown[:LONG])]
    return shown


async def _keep(kept_results: KeptResults, pages: list[OcrPage]) -> Kept:
    """Store all pages: as text, or as JSON lines if they hold more than text."""
    if any(page.blocks or page.confidence for page in pages):
        lines = "\n".join(page.model_dump_json() for page in pages)
        return await kept_results.keep(lines, filename="pages.jsonl", mime_type="application/jsonl")
    text = "\n\n".join(page.text() for page in pages)
    return await kept_results.keep(text, filename="document.md", mime_type="text/markdown")


async def _add_figures(result: Ocr, pages: list[ocr.Page], kept_results: KeptResults) -> None:
    result.figures = []
    for page in pages:
        for image in page.images or ():
            figure = Figure(page=page.index, id=image.id, description=_description(image.image_annotation))
            if image.image_base64 and not result.attach(image.image_base64):
                figure.kept = await _keep_image(kept_results, image)
            result.figures.append(figure)


async def _keep_image(kept_results: KeptResults, image: ocr.Image) -> Kept | None:
    found = _DATA_IMAGE.fullmatch(image.image_base64 or "")
    if found is None:
        return None
    data = await decode_base64(found[2])
    return await kept_results.keep(data, mime_type=found[1] or "image/jpeg", filename=image.id)


def _description(annotation: str | None) -> str | None:
    if not annotation:
        return None
    try:
        read = json_in(annotation)
    except ValueError:
        return annotation
    if isinstance(read, dict):
        description = read.get("description")
    else:
        description = None
    if isinstance(description, str):
        return description
    return annotation


def _usage(mistral: Mistral, reading: Reading, *, annotated: bool) -> OcrUsage:
    per: Per = "1000 annotated pages" if annotated else "1000 pages"
    pages = reading.usage.pages_processed
    cost = unit_cost_of(mistral, reading.model, pages, per)
    return OcrUsage(pages_processed=pages, doc_size_bytes=reading.usage.doc_size_bytes, cost_usd=cost)


async def _annotation(text: str | None, schema: CallerSchema | None) -> tuple[JsonValue, list[str]]:
    """The extracted data, and how it breaks the schema. Mistral may answer null even if a schema was given."""
    if schema is None:
        return None, []
    if not text:
        return None, ["Mistral gave none"]
    try:
        annotation = json_in(text)
    except ValueError:
        return text, ["it is not JSON"]
    return annotation, (await find_errors(schema, annotation))[:3]
