"""What is in a document: the text of texts and of simple PDFs, and of everything else pages that are made up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mistral_mcp.sandbox.protocol.errors import refusal

PAGE_OBJECT = re.compile(rb"/Type\s*/Page\b")
PDF_STREAM = re.compile(rb"\bstream\r?\n(.*?)endstream", re.DOTALL)
PDF_TEXT = re.compile(rb"\(([^()\\]*)\)\s*Tj")
TEXTUAL = re.compile(r"text/|application/(?:json|jsonl|xml|x-ipynb\+json|x-latex)")
DEFAULT_PAGES = 3
"""Of a document that does not say how many it has."""
MAX_PAGES = 1_000
READ_PDF_HEADER = 1_024


@dataclass(frozen=True)
class Document:
    """A document that has been read. Its pages are texts, or None where there is nothing to read them from."""

    name: str
    pages: Sequence[str | None]
    size: int | None = None
    drawn: bool = False
    """An image rather than a document."""

    @property
    def text(self) -> str:
        """All of it as plain text."""
        made_up = f"The sandbox cannot see what is in {self.name}."
        return "\n\n".join(page if page is not None else made_up for page in self.pages)


def read_document(name: str, kind: str, data: bytes) -> Document:
    """The document in these bytes. Texts are broken into pages at form feeds."""
    if kind == "application/pdf" and b"%PDF-" not in data[:READ_PDF_HEADER]:
        raise refusal(400, "Document is not a valid PDF.", "document_parser_invalid_file", "3740")
    if kind.startswith("image/"):
        return Document(name, [None], len(data), drawn=True)
    if TEXTUAL.match(kind):
        return _check_length(Document(name, data.decode(errors="replace").split("\f"), len(data)))
    number = len(PAGE_OBJECT.findall(data)) or DEFAULT_PAGES
    texts = _texts_of_pdf(data)
    if len(texts) == number:
        return _check_length(Document(name, texts, len(data)))
    return _check_length(Document(name, [None] * number, len(data)))


def _texts_of_pdf(data: bytes) -> list[str]:
    """What is shown by the streams of a PDF that are not compressed, one a page."""
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
