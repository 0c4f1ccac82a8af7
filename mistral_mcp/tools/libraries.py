"""Toolset `libraries`: documents that conversations and agents can search."""

from typing import Annotated

from pydantic import BaseModel, Field

from mistral_mcp.mistral.api import files
from mistral_mcp.mistral.api import libraries as wire
from mistral_mcp.tools.framework import file_content
from mistral_mcp.tools.framework.cut_text import LONG
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.paging import Page, PageSize, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()

LibraryId = Annotated[str, Field(description="As listed.")]
DocumentId = Annotated[str, Field(description="As listed.")]
Search = Annotated[str | None, Field(description="Part of a name.")]


class Library(BaseModel):
    """A library without its documents."""

    id: str
    name: str
    description: Maybe[str] = None
    documents: Maybe[int] = None
    bytes: Maybe[int] = None
    owner_type: Maybe[str] = None
    created_at: Maybe[str] = None

    def line(self) -> str:
        about = f": {self.description}" if self.description else ""
        return f"{self.id}  {self.name} ({self.documents or 0} documents){about}"


class OneLibrary(Result, Library):
    def to_text(self) -> str:
        return self.line()


class Libraries(Result):
    """One page of libraries."""

    libraries: list[Library]
    next_page_token: Maybe[str] = None

    def to_text(self) -> str:
        lines = [library.line() for library in self.libraries] or ["There is no such library."]
        rest = [f"(more with page_token {self.next_page_token})"] if self.next_page_token else []
        return "\n".join([*lines, *rest])


class Document(BaseModel):
    """A document; it can be searched once its status is done."""

    id: str
    name: str
    status: Maybe[str] = None
    mime_type: Maybe[str] = None
    bytes: Maybe[int] = None
    pages: Maybe[int] = None
    summary: Maybe[str] = None
    created_at: Maybe[str] = None

    def line(self) -> str:
        facts = [self.status, f"{self.bytes:,} bytes" if self.bytes is not None else None]
        facts.append(f"{self.pages} pages" if self.pages is not None else None)
        return f"{self.id}  {self.name} ({', '.join(fact for fact in facts if fact)})"


class OneDocument(Result, Document):
    def to_text(self) -> str:
        return self.line()


class Documents(Result):
    """One page of documents, newest first."""

    documents: list[Document]
    total: int
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        lines = [document.line() for document in self.documents]
        return list_text(lines, "There is no such document.", self.next_page, self.total)


class DocumentText(Result):
    """The text that was found in a document, or a part of it."""

    text: str
    characters: int = Field(description="Of these pages.")
    next_offset: Maybe[int] = Field(default=None, description="`offset` of the rest.")

    def to_text(self) -> str:
        if self.next_offset is None:
            return self.text or "There is no text here, or none yet: mistral_list_documents tells the status."
        left = self.characters - self.next_offset
        return f"{self.text}\n\n[Cut: {left:,} more characters. Ask with offset {self.next_offset} for the rest.]"


class Deleted(Result):
    id: str
    deleted: bool = True

    def to_text(self) -> str:
        return f"{self.id} is deleted."


@toolset.tool("List libraries", effect="reads")
async def mistral_list_libraries(
    mistral: Mistral,
    search: Search = None,
    page_size: PageSize = 20,
    page_token: Annotated[str | None, Field(description="Of the page before.")] = None,
) -> Libraries:
    """See the document libraries at Mistral that conversations can search."""
    reply = await mistral.send(wire.ListLibrariesCall(page_size=page_size, page_token=page_token, search=search))
    return Libraries(
        libraries=[Library(**library.model_dump()) for library in reply.data], next_page_token=reply.next_page_token
    )


@toolset.tool("Create a library", effect="creates")
async def mistral_create_library(
    mistral: Mistral,
    name: Annotated[str, Field(description="For people.", min_length=1)],
    description: Annotated[str | None, Field(description="What is in it.")] = None,
) -> OneLibrary:
    """Make a library, to add documents to."""
    reply = await mistral.send(wire.CreateLibraryCall(name=name, description=description))
    return OneLibrary(**reply.model_dump())


@toolset.tool("List a library's documents", effect="reads")
async def mistral_list_documents(
    mistral: Mistral, library_id: LibraryId, search: Search = None, page: Page = 0, page_size: PageSize = 20
) -> Documents:
    """See what is in a library, and what of it is processed."""
    call = wire.ListDocumentsCall(library_id=library_id, page=page, page_size=page_size, search=search)
    reply = await mistral.send(call)
    total = reply.pagination.total_items
    return Documents(
        documents=[Document(**document.model_dump()) for document in reply.data],
        total=total,
        next_page=next_page(page, page_size, len(reply.data), total),
    )


@toolset.tool("Add a document", effect="creates")
async def mistral_add_document(
    mistral: Mistral,
    library_id: LibraryId,
    filename: file_content.Filename,
    content: Annotated[str | None, Field(description="Text.")] = None,
    content_base64: file_content.Base64 = None,
    path: file_content.LocalPath = None,
) -> OneDocument:
    """Add a file to a library. Give content, content_base64 or path; processing takes a while."""
    file_content.content_argument(mistral, {"content": content, "content_base64": content_base64, "path": path})
    file = file_content.open_file_part(
        mistral, filename, content=content, content_base64=content_base64, path=path, max_bytes=files.LARGEST
    )
    async with file as part:
        reply = await mistral.send(wire.AddDocumentCall(library_id=library_id, file=part))
    return OneDocument(**reply.model_dump())


@toolset.tool("Read a document's text", effect="reads")
async def mistral_get_document_text(
    mistral: Mistral,
    library_id: LibraryId,
    document_id: DocumentId,
    page_start: Annotated[int | None, Field(description="First page.", ge=0)] = None,
    page_end: Annotated[int | None, Field(description="Last page.", ge=0)] = None,
    offset: Annotated[int, Field(description="Characters to pass over.", ge=0)] = 0,
) -> DocumentText:
    """Read the text of a document in a library."""
    call = wire.GetDocumentTextCall(
        library_id=library_id, document_id=document_id, page_start=page_start, page_end=page_end
    )
    text = (await mistral.send(call)).text
    end = offset + LONG
    return DocumentText(text=text[offset:end], characters=len(text), next_offset=end if end < len(text) else None)


@toolset.tool("Delete a document", effect="deletes")
async def mistral_delete_document(mistral: Mistral, library_id: LibraryId, document_id: DocumentId) -> Deleted:
    """Delete a document from a library, for good."""
    await mistral.send(wire.DeleteDocumentCall(library_id=library_id, document_id=document_id))
    return Deleted(id=document_id)


@toolset.tool("Delete a library", effect="deletes")
async def mistral_delete_library(mistral: Mistral, library_id: LibraryId) -> Deleted:
    """Delete a library with all its documents, for good."""
    await mistral.send(wire.DeleteLibraryCall(library_id=library_id))
    return Deleted(id=library_id)
