"""Libraries of documents that conversations and agents can search.

Source: `/v1/libraries`.
"""

from pydantic import Field

from mistral_mcp.mistral.call import Call, Maybe, Moment, Reply
from mistral_mcp.mistral.multipart import Upload


class LibraryReply(Reply):
    id: str
    name: str = ""
    description: Maybe[str] = None
    documents: Maybe[int] = Field(default=None, validation_alias="nb_documents")
    bytes: Maybe[int] = Field(default=None, validation_alias="total_size")
    owner_type: Maybe[str] = None
    created_at: Maybe[Moment] = None


class LibraryList(Reply):
    data: list[LibraryReply] = []
    next_page_token: str | None = None


class DocumentReply(Reply):
    id: str
    name: str = ""
    status: Maybe[str] = Field(
        default=None, validation_alias="process_status", description="done: it can be searched"
    )
    mime_type: Maybe[str] = None
    bytes: Maybe[int] = Field(default=None, validation_alias="size")
    pages: Maybe[int] = Field(default=None, validation_alias="number_of_pages")
    summary: Maybe[str] = None
    created_at: Maybe[Moment] = None


class Pagination(Reply):
    total_items: int = 0


class DocumentList(Reply):
    data: list[DocumentReply] = []
    pagination: Pagination = Pagination()


class DocumentText(Reply):
    text: str


class ListLibrariesCall(Call[LibraryList]):
    path = "/v1/libraries"
    method = "GET"
    repeatable = True

    page_size: int
    page_token: str | None = None
    search: str | None = None


class CreateLibraryCall(Call[LibraryReply]):
    path = "/v1/libraries"

    name: str
    description: str | None = None


class DeleteLibraryCall(Call[None]):
    """Answered with the library, some day with nothing."""

    path = "/v1/libraries/{library_id}"
    method = "DELETE"

    library_id: str


class ListDocumentsCall(Call[DocumentList]):
    path = "/v1/libraries/{library_id}/documents"
    method = "GET"
    repeatable = True

    library_id: str
    page: int
    page_size: int
    search: str | None = None


class AddDocumentCall(Upload[DocumentReply]):
    """A document that is there already (by its hash) is answered as if it were new."""

    path = "/v1/libraries/{library_id}/documents"

    library_id: str


class GetDocumentTextCall(Call[DocumentText]):
    path = "/v1/libraries/{library_id}/documents/{document_id}/text_content"
    method = "GET"
    repeatable = True

    library_id: str
    document_id: str
    page_start: int | None = None
    page_end: int | None = None


class DeleteDocumentCall(Call[None]):
    path = "/v1/libraries/{library_id}/documents/{document_id}"
    method = "DELETE"

    library_id: str
    document_id: str
