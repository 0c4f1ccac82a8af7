"""Where a document comes from: a link, a data URL, or a file that was uploaded."""

import base64
import binascii
import re

from mistral_mcp.sandbox.protocol.documents import DEFAULT_PAGES, Document, read_document
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.errors import unreadable_file
from mistral_mcp.sandbox.state.files import Files, StoredFile, find_by_link, guess_type

OFFICE = "application/vnd.openxmlformats-officedocument"
OFFICE_NAMES = {
    f"{OFFICE}.wordprocessingml.document": "document.docx",
    f"{OFFICE}.presentationml.presentation": "document.pptx",
}
UNREACHABLE = re.compile(r"https?://[^/]*\.invalid(?:/|$)")
DATA = re.compile(r"data:(?P<kind>[\w.+/-]*)(?:;[\w=-]+)*?;base64,(?P<data>.*)$", re.DOTALL)


def fetch_document(account: Account, url: str, name: str | None = None) -> Document:
    """The document behind a link: a data URL, a signed link of ours, or anything else on the web."""
    own = find_by_link(account, url)
    if own is not None:
        return read_file(own)
    found = DATA.match(url)
    if found:
        try:
            data = base64.b64decode(found["data"], validate=True)
        except binascii.Error:
            raise unreadable_file("Document could not be decoded: it is not base64.") from None
        return read_document(name or OFFICE_NAMES.get(found["kind"], "document"), found["kind"], data)
    if UNREACHABLE.match(url):
        raise unreadable_file(f"Document could not be fetched from url: {url[:100]}")
    name = name or url.partition("?")[0].rstrip("/").rpartition("/")[2] or "document"
    drawn = guess_type(name).startswith("image/")
    return Document(name, [None] * (1 if drawn else DEFAULT_PAGES), drawn=drawn)


def open_upload(account: Account, file_id: str) -> Document:
    """The document that was uploaded as this file."""
    return read_file(account.section(Files).get(file_id))


def read_file(file: StoredFile) -> Document:
    """The document in this file."""
    return read_document(file.filename, file.mimetype, file.data)
