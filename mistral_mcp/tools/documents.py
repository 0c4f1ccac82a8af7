"""Toolset `documents`: text out of scans, PDFs, slides and images."""

import base64
import binascii
import json
import re
from typing import Annotated, Literal
from uuid import UUID

import anyio.to_thread
from mcp_types import ContentBlock, ImageContent
from pydantic import AfterValidator, BaseModel, Field, JsonValue, PrivateAttr

from mistral_mcp.errors import AnswerMismatch, BadArgument
from mistral_mcp.json_schema import CallerSchema, json_in
from mistral_mcp.local_files import opened
from mistral_mcp.mistral.api import files, ocr
from mistral_mcp.mistral.api.chat import response_format_of
from mistral_mcp.mistral.catalog import Per
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.cut_text import LONG
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, MaybeJson, Result, UnitUsage, unit_cost_of

toolset = Toolset()

_IMAGE = re.compile(r"(?i)\.(png|jpe?g|gif|webp|avif|bmp|tiff?|heic)$")
_SPANS = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")
_INLINE = 20 * 1024 * 1024  # bytes of a local file
_IMAGES = 20  # attached to one result


def _wire_pages(pages: str | list[int]) -> str | list[int]:
    if isinstance(pages, list):
        return pages
    text = re.sub(r"[\[\]\s]", "", pages)
    spans = [part.split("-") for part in text.split(",")]
    if not _SPANS.fullmatch(text) or any(int(span[0]) > int(span[-1]) for span in spans):
        raise ValueError("pages are numbers and ranges, such as 0,2-4")
    return text


class OcrPage(BaseModel):
    """One page; images appear in the markdown by their names."""

    index: int
    markdown: str


class OcrUsage(UnitUsage):
    pages_processed: int
    doc_size_bytes: Maybe[int] = None


class Ocr(Result):
    """The document as Markdown, page by page."""

    pages: list[OcrPage]
    annotation: MaybeJson = Field(default=None, description="What json_schema asked for.")
    truncated: Maybe[bool] = Field(default=None, description="More was read than is shown.")
    next_pages: Maybe[str] = Field(default=None, description="`pages` to ask for next.")
    model: str
    usage: OcrUsage

    _images: list[ImageContent] = PrivateAttr(default_factory=list[ImageContent])

    def to_text(self) -> str:
        parts = [f"--- page {page.index} ---\n{page.markdown}" for page in self.pages]
        if self.annotation is not None:
            parts.insert(0, json.dumps(self.annotation, ensure_ascii=False))
        if self.truncated and self.next_pages is None:
            parts.append("[Cut: the page is longer than fits here.]")
        elif self.next_pages is not None:
            parts.append(f'[Cut: more was read than fits here. Ask again with pages "{self.next_pages}" for the rest.]')
        return "\n\n".join(parts) or "The document has no such pages."

    def extra_content(self) -> list[ContentBlock]:
        return list(self._images)

    @classmethod
    def of(cls, mistral: Mistral, reply: ocr.OcrReply, model: str, schema: CallerSchema | None) -> "Ocr":
        pages: list[OcrPage] = []
        room = LONG
        for page in reply.pages:
            markdown = _markdown(page)
            if pages and len(markdown) > room:
                break
            pages.append(OcrPage(index=page.index, markdown=markdown[:room]))
            room -= len(markdown)
        left = [page.index for page in reply.pages[len(pages) :]]
        result = cls(
            pages=pages,
            annotation=_annotation(reply, schema) if schema else None,
            truncated=room < 0 or bool(left) or None,
            next_pages=_spans(left) or None,
            model=model,
            usage=_usage(mistral, model, reply.usage_info, annotated=schema is not None),
        )
        shown = (image for page in reply.pages[: len(pages)] for image in page.images or ())
        result._images = [block for image in shown if (block := _image(image))][:_IMAGES]
        return result


@toolset.tool("Read a document (OCR)", effect="reads")
async def mistral_ocr(
    mistral: Mistral,
    document: Annotated[
        str, Field(description="https URL, data URL, file id, or path if the server has a folder.", min_length=1)
    ],
    pages: Annotated[
        Annotated[str, AfterValidator(_wire_pages)] | list[Annotated[int, Field(ge=0)]] | None,
        Field(description='From 0, such as "0-5,9".'),
    ] = None,
    json_schema: Annotated[dict[str, JsonValue] | None, Field(description="JSON Schema of `annotation`.")] = None,
    table_format: Annotated[Literal["markdown", "html"] | None, Field(description="How tables are written.")] = None,
    include_images: Annotated[bool, Field(description="Attach the images found.")] = False,
    model: parameters.Model = None,
) -> Ocr:
    """Read PDFs, scans, slides and photos as Markdown, page by page; with json_schema, also as data."""
    schema = CallerSchema(json_schema, where="json_schema") if json_schema is not None else None
    name = model or ocr.MODEL
    call = ocr.OcrCall(
        model=name,
        document=await _chunk(mistral, document),
        pages=pages,
        include_image_base64=include_images or None,
        document_annotation_format=response_format_of(json_schema, None),
        table_format=table_format,
    )
    reply = await mistral.send(call, model=name)
    return Ocr.of(mistral, reply, reply.model or name, schema)


async def _chunk(mistral: Mistral, document: str) -> dict[str, JsonValue]:
    """What the caller named, as Mistral takes it. Raises `BadArgument` where it is nothing of the kind."""
    if re.match(r"(?i)https://[^\s/]+", document):
        return _link(document, image=bool(_IMAGE.search(document.partition("?")[0].partition("#")[0])))
    if found := re.fullmatch(r"(?i)data:([a-z0-9.+-]+)/[a-z0-9.+-]+(?:;[\w=-]+)*;base64,(.+)", document, re.DOTALL):
        try:
            base64.b64decode(found[2], validate=True)
        except binascii.Error:
            raise BadArgument("The base64 of document cannot be decoded.", "Send it without line breaks.") from None
        return _link(document, image=found[1].lower() == "image")
    try:
        return {"type": "file", "file_id": str(UUID(document))}
    except ValueError:
        folder = mistral.settings.files_dir
    if folder is None or re.match(r"(?i)(data|https?|file):", document):
        raise BadArgument(
            "document is no https URL, no data URL with base64, and no file id.",
            "Upload a file with mistral_upload_file and give its id, or give its URL.",
        )
    async with opened(folder, document, max_bytes=files.LARGEST) as part:
        if part.size > _INLINE:
            raise BadArgument(
                f"The file is larger than the {_INLINE // 1024 // 1024} MB that can be sent along.",
                "Upload it with mistral_upload_file for ocr, and give its id as document.",
            )
        content = await anyio.to_thread.run_sync(part.open().read)
    kind = part.content_type
    url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return _link(url, image=kind.startswith("image/"))


def _link(url: str, *, image: bool) -> dict[str, JsonValue]:
    return {"type": "image_url", "image_url": url} if image else {"type": "document_url", "document_url": url}


def _usage(mistral: Mistral, model: str, usage: ocr.OcrUsage, *, annotated: bool) -> OcrUsage:
    per: Per = "1000 annotated pages" if annotated else "1000 pages"
    cost = unit_cost_of(mistral, model, usage.pages_processed, per)
    return OcrUsage(pages_processed=usage.pages_processed, doc_size_bytes=usage.doc_size_bytes, cost_usd=cost)


def _markdown(page: ocr.Page) -> str:
    """The page with its tables where they stood: with `table_format`, Mistral sends them apart."""
    text = page.markdown
    for table in page.tables or ():
        text = text.replace(f"[{table.id}]({table.id})", table.content)
    return text


def _image(image: ocr.Image) -> ImageContent | None:
    found = re.fullmatch(r"(?:data:(image/[\w.+-]+);base64,)?(.+)", image.image_base64 or "", re.DOTALL)
    return ImageContent(type="image", mime_type=found[1] or "image/jpeg", data=found[2]) if found else None


def _annotation(reply: ocr.OcrReply, schema: CallerSchema) -> JsonValue:
    text = reply.document_annotation or ""
    try:
        annotation = json_in(text)
        problems = schema.errors(annotation)
    except ValueError:
        annotation, problems = None, ["it is not JSON"]
    if problems:
        what = f"What the model read does not fit json_schema: {'; '.join(problems[:3])}."
        raise AnswerMismatch(what, "Ask again, with fewer pages or a looser schema.", partial=text)
    return annotation


def _spans(indices: list[int]) -> str:
    """`2-5,9`."""
    spans: list[list[int]] = []
    for index in indices:
        if spans and spans[-1][-1] == index - 1:
            spans[-1] = [spans[-1][0], index]
        else:
            spans.append([index])
    return ",".join("-".join(map(str, span)) for span in spans)
