"""Libraries and the documents in them, as they are kept for one key."""

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
STEPS = {"todo": "in_progress", "in_progress": "done"}
OLD_NAMES = {
    "todo": "Running",
    "in_progress": "Running",
    "done": "Completed",
    "error": "Failed",
}
"""What `processing_status`, which is deprecated, calls them."""


@dataclass
class LibraryDocument:
    """A document, which is processed by one step each time somebody looks at it."""

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
        """What is in it, once it has been processed."""
        if self.status == "done":
            return read_document(self.name, self.mime_type, self.data)
        return None

    def advance(self) -> None:
        """One step; what cannot be read ends in `error`."""
        if self.status == "in_progress":
            try:
                read_document(self.name, self.mime_type, self.data)
            except ApiError:
                self.status = "error"
                return
            self.processed_at = iso_time()
        self.status = STEPS.get(self.status, self.status)

    def reprocess(self) -> None:
        """Back to the start."""
        self.status, self.processed_at = "todo", None

    def text(self, first: int | None = None, last: int | None = None) -> str:
        """The text of these pages; of all of them, if none are named."""
        read = self.document
        if read is None:
            return ""
        return Document(read.name, read.pages[first or 0 : None if last is None else last + 1]).text

    def progress(self) -> dict[str, Any]:
        """How far it has come."""
        return {"process_status": self.status, "processing_status": OLD_NAMES[self.status]}

    def card(self) -> dict[str, Any]:
        """The document as the API shows it."""
        read = self.document
        tokens = 0
        if read:
            tokens = count_tokens(read.text)
        return {
            "id": self.id,
            "library_id": self.library_id,
            "hash": self.hash,
            "mime_type": self.mime_type,
            "extension": self.name.rpartition(".")[2] if "." in self.name else None,
            "size": len(self.data),
            "name": self.name,
            "summary": f"The sandbox has read {self.name}." if read else None,
            "created_at": self.created_at,
            "last_processed_at": self.processed_at,
            "number_of_pages": len(read.pages) if read else None,
            **self.progress(),
            "uploaded_by_id": OWNER,
            "uploaded_by_type": "User",
            "tokens_processing_main_content": tokens if read else None,
            "tokens_processing_summary": 0 if read else None,
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
    """A library."""

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
        """Note that it has changed."""
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
        """Refuse what would be too much for one key."""
        if sum(library.size for library in self) + size > CAPACITY:
            raise detail_error(
                413, f"The sandbox keeps {CAPACITY} bytes of documents for one key, and they are used up."
            )


def pagination(page: int, page_size: int, items: Sequence[Any]) -> dict[str, Any]:
    """Where a page is among the others."""
    pages = -(-len(items) // page_size)
    return {
        "total_items": len(items),
        "total_pages": pages,
        "current_page": page,
        "page_size": page_size,
        "has_more": page + 1 < pages,
    }
