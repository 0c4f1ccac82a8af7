"""Open documents: from a link, a data URL, or an uploaded file."""

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
    """The document at a URL: a data URL, a signed URL of a stored file, or another link, whose document is made up.

    400 if a data URL cannot be decoded, or if the host ends in `.invalid`.
    """
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
    if guess_type(name).startswith("image/"):
        return Document(name, [None], is_image=True)
    return Document(name, [None] * DEFAULT_PAGES)


def open_upload(account: Account, file_id: str) -> Document:
    """The document that was uploaded as this file. 404 if there is no such file."""
    return read_file(account.section(Files).get(file_id))


def read_file(file: StoredFile) -> Document:
    """The document in this file."""
    return read_document(file.filename, file.mimetype, file.data)
