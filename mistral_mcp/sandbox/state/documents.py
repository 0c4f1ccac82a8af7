"""What is in a document: the text of texts, and of everything else pages that are made up."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.errors import refusal, unreadable
from mistral_mcp.sandbox.state.files import Files, StoredFile, guessed, linked

PAGE_OBJECT = re.compile(rb"/Type\s*/Page\b")
TEXTUAL = re.compile(r"text/|application/(?:json|jsonl|xml|x-ipynb\+json|x-latex)")
NOWHERE = re.compile(r"https?://[^/]*\.invalid(?:/|$)")
DATA = re.compile(r"data:(?P<kind>[\w.+/-]*)(?:;[\w=-]+)*?;base64,(?P<data>.*)$", re.DOTALL)
USUAL_PAGES = 3
"""Of a document that does not tell how many it has."""
MOST_PAGES = 1_000
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


def fetched(account: Account, url: str, name: str | None = None) -> Document:
    """The document behind a link: a data URL, a signed link of ours, or anything else on the web."""
    own = linked(account, url)
    if own is not None:
        return stored(own)
    found = DATA.match(url)
    if found:
        try:
            data = base64.b64decode(found["data"], validate=True)
        except binascii.Error:
            raise unreadable("Document could not be decoded: it is not base64.") from None
        return read_document(name or "document", found["kind"], data)
    if NOWHERE.match(url):
        raise unreadable(f"Document could not be fetched from url: {url[:100]}")
    name = name or url.partition("?")[0].rstrip("/").rpartition("/")[2] or "document"
    drawn = guessed(name).startswith("image/")
    return Document(name, [None] * (1 if drawn else USUAL_PAGES), drawn=drawn)


def uploaded(account: Account, file_id: str) -> Document:
    """The document that was uploaded as this file."""
    return stored(account.section(Files).get(file_id))


def stored(file: StoredFile) -> Document:
    """The document in this file."""
    return read_document(file.filename, file.mimetype, file.data)


def read_document(name: str, kind: str, data: bytes) -> Document:
    """The document in these bytes. Texts are broken into pages at form feeds."""
    if kind == "application/pdf" and b"%PDF-" not in data[:READ_PDF_HEADER]:
        raise refusal(400, "Document is not a valid PDF.", "document_parser_invalid_file", "3740")
    if kind.startswith("image/"):
        return Document(name, [None], len(data), drawn=True)
    if TEXTUAL.match(kind):
        return _limited(Document(name, data.decode(errors="replace").split("\f"), len(data)))
    return _limited(Document(name, [None] * (len(PAGE_OBJECT.findall(data)) or USUAL_PAGES), len(data)))


def _limited(document: Document) -> Document:
    number = len(document.pages)
    if number > MOST_PAGES:
        message = f"Document has {number} pages, more than the {MOST_PAGES} that are allowed."
        raise refusal(400, message, "document_parser_too_many_pages", "3730")
    return document
