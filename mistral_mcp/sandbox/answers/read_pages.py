"""The pages of an OCR reply: Markdown, and the position of each block on the page."""

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol.documents import Document

WIDTH, HEIGHT, DPI = 1_700, 2_200, 200
MARGIN, STEP = 100, 60
IMAGE_SIZE = 200
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""
ROWS = (("Item", "Amount"), ("Pages", "3"), ("Tables", "1"))

Granularity = Literal["page", "block", "word"]


@dataclass(frozen=True)
class Block:
    """A block of a page. `extra` are members that only its type has."""

    type: str
    content: str
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class PageOptions:
    """Which parts of a page go into the reply. `images` is the most images, None for all; `min_image_size` is in pixels."""

    table_format: Literal["markdown", "html"] | None = None
    extract_header: bool = False
    extract_footer: bool = False
    blocks: bool = True
    images: int | None = None
    min_image_size: int = 0
    image_data: bool = False
    image_schema: Any = None
    confidence: Granularity | None = None


def read_page(document: Document, index: int, options: PageOptions) -> dict[str, Any]:
    """The page with this index, as the reply has it."""
    blocks = _blocks(document, index, options)

    # The header and the footer are members of their own, or parts of the Markdown.
    separate: dict[str, str | None] = {}
    if options.extract_header:
        separate["header"] = _find_content(blocks, "header")
    if options.extract_footer:
        separate["footer"] = _find_content(blocks, "footer")
    markdown = "\n\n".join(block.content for block in blocks if block.type not in separate)

    tables = [block for block in blocks if block.type == "table" and "table_id" in block.extra]
    placed = None
    if options.blocks:
        placed = [_place_block(block, place, options) for place, block in enumerate(blocks)]

    return {
        "index": index,
        "markdown": markdown,
        "images": [_image(block, options) for block in blocks if block.type == "image"],
        "tables": [
            {
                "id": block.extra["table_id"],
                "content": _render_table(options.table_format),
                "format": options.table_format,
            }
            for block in tables
        ],
        "hyperlinks": re.findall(r"https?://[^\s)|]+", markdown),
        "header": separate.get("header"),
        "footer": separate.get("footer"),
        "dimensions": {"dpi": DPI, "height": HEIGHT, "width": WIDTH},
        "confidence_scores": _page_confidence(markdown, options.confidence),
        "blocks": placed,
    }


def _blocks(document: Document, index: int, options: PageOptions) -> list[Block]:
    """The blocks of the page, from top to bottom: those of its text, or made-up ones if it has none."""
    text = document.pages[index]
    if text is not None:
        return [_classify_block(part) for part in re.split(r"\n\s*\n", text) if part.strip()]

    number, last = index + 1, len(document.pages)
    blocks = [
        Block("header", "Sandbox report"),
        Block("title", f"# {document.name}, page {number}"),
        Block("text", f"This is page {number} of {last}. The sandbox cannot see, so what is on it is made up."),
        Block("list", "- It is always the same.\n- It links to https://example.com/."),
    ]
    if not document.is_image:
        blocks.append(_table_block(index, options.table_format))

    has_image = index == 0 and options.images != 0 and options.min_image_size <= IMAGE_SIZE
    if has_image:
        name = f"img-{index}.png"
        blocks.append(Block("image", f"![{name}]({name})", {"image_id": name}))
    return [*blocks, Block("footer", f"Page {number}")]


def _table_block(index: int, form: str | None) -> Block:
    """A table within the Markdown; with a format, a link to the table in `tables`."""
    if form is None:
        return Block("table", _render_table(None))
    ending = "md"
    if form == "html":
        ending = "html"
    name = f"tbl-{index}.{ending}"
    return Block("table", f"[{name}]({name})", {"table_id": name})


def _classify_block(part: str) -> Block:
    kinds = (("#", "title"), ("|", "table"), ("- ", "list"), ("* ", "list"), ("```", "code"))
    return Block(next((kind for sign, kind in kinds if part.startswith(sign)), "text"), part.strip())


def _render_table(form: str | None) -> str:
    if form == "html":
        rows = ("".join(f"<td>{cell}</td>" for cell in row) for row in ROWS)
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    head, *rest = (f"| {' | '.join(row)} |" for row in ROWS)
    return "\n".join([head, "| --- | --- |", *rest])


def _image(block: Block, options: PageOptions) -> dict[str, Any]:
    if options.image_schema is None:
        annotation = None
    else:
        annotation = json.dumps(fill_schema(options.image_schema, Hints("")))
    return {
        "id": block.extra["image_id"],
        "top_left_x": MARGIN,
        "top_left_y": MARGIN,
        "bottom_right_x": MARGIN + IMAGE_SIZE,
        "bottom_right_y": MARGIN + IMAGE_SIZE,
        "image_base64": f"data:image/png;base64,{PIXEL}" if options.image_data else None,
        "image_annotation": annotation,
    }


def _place_block(block: Block, place: int, options: PageOptions) -> dict[str, Any]:
    score = _score(block.content)
    scores = {
        "average_content_confidence_score": score,
        "minimum_content_confidence_score": round(score - 0.1, 4),
        "block_type_confidence_score": score,
    }
    return {
        "type": block.type,
        "top_left_x": MARGIN,
        "top_left_y": MARGIN + place * STEP,
        "bottom_right_x": WIDTH - MARGIN,
        "bottom_right_y": MARGIN + place * STEP + STEP - 10,
        "content": block.content,
        **block.extra,
        "confidence_scores": scores if options.confidence == "block" else None,
    }


def _page_confidence(text: str, granularity: Granularity | None) -> dict[str, Any] | None:
    if granularity is None or granularity == "block":
        return None
    words: list[dict[str, Any]] = [
        {
            "text": word.group(),
            "confidence": _score(word.group()),
            "start_index": word.start(),
        }
        for word in re.finditer(r"\S+", text)
    ]
    scores: list[float] = [word["confidence"] for word in words] or [1.0]
    average = {"average_page_confidence_score": round(sum(scores) / len(scores), 4)}
    result = {**average, "minimum_page_confidence_score": min(scores)}
    if granularity == "word":
        return {**result, "word_confidence_scores": words}
    return result


def _score(text: str) -> float:
    return round(0.9 + zlib.crc32(text.encode()) % 1000 / 10_000, 4)


def _find_content(blocks: Sequence[Block], kind: str) -> str | None:
    return next((block.content for block in blocks if block.type == kind), None)
