"""The content of documents: the text of text files and simple PDFs; other documents get made-up pages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mistral_mcp.sandbox.protocol.errors import refusal

PAGE_OBJECT = re.compile(rb"/Type\s*/Page\b")
PDF_STREAM = re.compile(rb"\bstream\r?\n(.*?)endstream", re.DOTALL)
PDF_TEXT = re.compile(rb"\(([^()\\]*)\)\s*Tj")
TEXTUAL = re.compile(r"text/|application/(?:json|jsonl|xml|x-ipynb\+json|x-latex)")
DEFAULT_PAGES = 3
"""For a document whose number of pages is unknown."""
MAX_PAGES = 1_000
PDF_HEADER_RANGE = 1_024


@dataclass(frozen=True)
class Document:
    """A document that has been read. A page is its text, or None if the sandbox cannot read it. `size` is in bytes."""

    name: str
    pages: Sequence[str | None]
    size: int | None = None
    is_image: bool = False

    @property
    def text(self) -> str:
        """All pages as plain text."""
        made_up = f"The sandbox cannot see what is in {self.name}."
        pages = [made_up if page is None else page for page in self.pages]
        return "\n\n".join(pages)


def read_document(name: str, kind: str, data: bytes) -> Document:
    """The document in these bytes. Text is split into pages at form feeds. 400 if a PDF is invalid or has too many pages."""
    if kind == "application/pdf" and b"%PDF-" not in data[:PDF_HEADER_RANGE]:
        raise refusal(400, "Document is not a valid PDF.", "document_parser_invalid_file", "3740")
    if kind.startswith("image/"):
        return Document(name, [None], len(data), is_image=True)
    if TEXTUAL.match(kind):
        return _check_length(Document(name, data.decode(errors="replace").split("\f"), len(data)))
    number = len(PAGE_OBJECT.findall(data)) or DEFAULT_PAGES
    texts = _texts_of_pdf(data)
    if len(texts) == number:
        return _check_length(Document(name, texts, len(data)))
    return _check_length(Document(name, [None] * number, len(data)))


def _texts_of_pdf(data: bytes) -> list[str]:
    """The texts of the uncompressed streams of a PDF, one for each page."""
    texts: list[str] = []
    for stream in PDF_STREAM.findall(data):
        lines = PDF_TEXT.findall(stream)
        if lines:
            texts.append("\n".join(line.decode("latin-1") for line in lines))
    return texts


def _check_length(document: Document) -> Document:
    number = len(document.pages)
    if number > MAX_PAGES:
        message = f"Document has {number} pages, more than the {MAX_PAGES} that are allowed."
        raise refusal(400, message, "document_parser_too_many_pages", "3730")
    return document
