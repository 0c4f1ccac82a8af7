"""The libraries of one key, and the documents in them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.documents import Document, read_document
from mistral_mcp.sandbox.protocol.errors import ApiError, detail_error
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.state.files import CAPACITY
from mistral_mcp.sandbox.state.store import Store

OWNER = "00000000-0000-4000-8000-000000000002"
NEXT_STATUS = {"todo": "in_progress", "in_progress": "done"}
DEPRECATED_STATUSES = {
    "todo": "Running",
    "in_progress": "Running",
    "done": "Completed",
    "error": "Failed",
}
"""The values of the deprecated `processing_status`."""


@dataclass
class LibraryDocument:
    """A document. Its processing advances by one step each time it is looked up."""

    id: str
    library_id: str
    name: str
    mime_type: str
    data: bytes
    status: str = "todo"
    attributes: dict[str, Any] | None = None
    expires_at: str | None = None
    created_at: str = field(default_factory=iso_time)
    processed_at: str | None = None

    @property
    def hash(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def document(self) -> Document | None:
        """Its content, once it has been processed."""
        if self.status == "done":
            return read_document(self.name, self.mime_type, self.data)
        return None

    def advance(self) -> None:
        """Advance by one step; a document that cannot be read ends in `error`."""
        if self.status == "in_progress":
            try:
                read_document(self.name, self.mime_type, self.data)
            except ApiError:
                self.status = "error"
                return
            self.processed_at = iso_time()
        self.status = NEXT_STATUS.get(self.status, self.status)

    def reprocess(self) -> None:
        """Start the processing again."""
        self.status, self.processed_at = "todo", None

    def text(self, first: int | None = None, last: int | None = None) -> str:
        """The text of the pages `first` to `last`, both included and counted from 0; None is no bound. Empty until processed."""
        read = self.document
        if read is None:
            return ""
        end = len(read.pages)
        if last is not None:
            end = last + 1
        return Document(read.name, read.pages[first or 0 : end]).text

    def progress(self) -> dict[str, Any]:
        """The status of the processing, as the API shows it."""
        return {"process_status": self.status, "processing_status": DEPRECATED_STATUSES[self.status]}

    def card(self) -> dict[str, Any]:
        """The document as the API shows it."""
        read = self.document
        tokens = 0
        known: dict[str, Any] = {
            "summary": None,
            "number_of_pages": None,
            "tokens_processing_main_content": None,
            "tokens_processing_summary": None,
        }
        if read:
            tokens = count_tokens(read.text)
            known = {
                "summary": f"The sandbox has read {self.name}.",
                "number_of_pages": len(read.pages),
                "tokens_processing_main_content": tokens,
                "tokens_processing_summary": 0,
            }
        extension = None
        if "." in self.name:
            extension = self.name.rpartition(".")[2]

        return {
            "id": self.id,
            "library_id": self.library_id,
            "hash": self.hash,
            "mime_type": self.mime_type,
            "extension": extension,
            "size": len(self.data),
            "name": self.name,
            "summary": known["summary"],
            "created_at": self.created_at,
            "last_processed_at": self.processed_at,
            "number_of_pages": known["number_of_pages"],
            **self.progress(),
            "uploaded_by_id": OWNER,
            "uploaded_by_type": "User",
            "tokens_processing_main_content": known["tokens_processing_main_content"],
            "tokens_processing_summary": known["tokens_processing_summary"],
            "tokens_processing_total": tokens,
            "url": None,
            "attributes": self.attributes,
            "expires_at": self.expires_at,
        }


class LibraryDocuments(Store[LibraryDocument]):
    """The documents of one library."""

    missing = "Document not found"


@dataclass
class Library:
    """A library with its documents. `chunk_size` is in tokens."""

    id: str
    name: str
    description: str | None
    owner_type: str
    chunk_size: int | None
    created_at: str = field(default_factory=iso_time)
    updated_at: str = field(default_factory=iso_time)
    documents: LibraryDocuments = field(default_factory=LibraryDocuments)

    @property
    def size(self) -> int:
        return sum(len(document.data) for document in self.documents)

    def touch(self) -> None:
        """Set the time of the last change to now."""
        self.updated_at = iso_time()

    def card(self) -> dict[str, Any]:
        """The library as the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "owner_id": OWNER,
            "owner_type": self.owner_type,
            "total_size": self.size,
            "nb_documents": len(self.documents),
            "chunk_size": self.chunk_size,
            "emoji": None,
            "description": self.description,
            "generated_name": None,
            "generated_description": None,
            "explicit_user_members_count": None,
            "explicit_workspace_members_count": None,
            "org_sharing_role": None,
        }


class Libraries(Store[Library]):
    """All libraries of one key."""

    missing = "Library not found"

    def check_room(self, size: int) -> None:
        """413 if documents of this many more bytes would be too much for the key."""
        if sum(library.size for library in self) + size > CAPACITY:
            raise detail_error(
                413, f"The sandbox keeps {CAPACITY} bytes of documents for one key, and they are used up."
            )


def pagination(page: int, page_size: int, items: Sequence[Any]) -> dict[str, Any]:
    """The `pagination` member of a list. Pages are counted from 0."""
    pages = -(-len(items) // page_size)
    return {
        "total_items": len(items),
        "total_pages": pages,
        "current_page": page,
        "page_size": page_size,
        "has_more": page + 1 < pages,
    }
