"""Toolset `libraries`: documents that conversations and agents can search."""

from typing import Annotated

from pydantic import Field

from mistral_mcp.mistral.api import files, libraries
from mistral_mcp.mistral.api.libraries import DocumentReply, LibraryReply
from mistral_mcp.tools.framework import file_content
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.paging import Page, PageSize, counted, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Deleted, Maybe, Result

toolset = Toolset()

LibraryId = Annotated[str, Field(description="Library id.", min_length=1, max_length=100)]
DocumentId = Annotated[str, Field(description="Document id.", min_length=1, max_length=100)]
Search = Annotated[str | None, Field(description="Part of a name.", max_length=255)]


def library_line(library: LibraryReply) -> str:
    """A library as a line of text."""
    if library.description:
        about = f": {library.description}"
    else:
        about = ""
    return f"{library.id}  {library.name} ({counted(library.documents or 0, 'document')}){about}"


def document_line(document: DocumentReply) -> str:
    """A document as a line of text."""
    if document.status:
        facts = [document.status]
    else:
        facts = []
    facts += [counted(document.bytes, "byte")] if document.bytes is not None else []
    facts += [counted(document.pages, "page")] if document.pages is not None else []
    return f"{document.id}  {document.name} ({', '.join(facts)})"


class Library(Result, LibraryReply):
    """A library, without its documents."""

    def to_text(self) -> str:
        return library_line(self)


class Libraries(Result):
    """One page of libraries."""

    libraries: list[LibraryReply]
    next_page_token: Maybe[str] = None

    def to_text(self) -> str:
        lines = [library_line(library) for library in self.libraries] or ["No libraries."]
        if self.next_page_token:
            rest = [f"(more with page_token {self.next_page_token})"]
        else:
            rest = []
        return "\n".join([*lines, *rest])


class Document(Result, DocumentReply):
    """A document; it can be searched once its status is done."""

    def to_text(self) -> str:
        return document_line(self)


class Documents(Result):
    """One page of documents, newest first."""

    documents: list[DocumentReply]
    total: int
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        lines = [document_line(document) for document in self.documents]
        return list_text(lines, "No documents.", self.next_page, self.total)


class DocumentText(Result):
    """A document's text: all of it, or its beginning and where the rest is stored."""

    text: str
    kept: Maybe[Kept] = None

    def to_text(self) -> str:
        if self.kept is not None:
            return f"{self.text}\n\n{self.kept.note(len(self.text))}"
        return self.text or "There is no text here, or none yet: mistral_list_documents shows the status."


@toolset.tool("List libraries", effect="reads")
async def mistral_list_libraries(
    mistral: Mistral,
    search: Search = None,
    page_size: PageSize = 20,
    page_token: Annotated[
        str | None, Field(description="next_page_token of the last page.", max_length=1000)
    ] = None,
) -> Libraries:
    """List the document libraries at Mistral that conversations can search."""
    reply = await mistral.send(
        libraries.ListLibrariesCall(page_size=page_size, page_token=page_token, search=search)
    )
    return Libraries(libraries=reply.data, next_page_token=reply.next_page_token)


@toolset.tool("Create a library", effect="creates")
async def mistral_create_library(
    mistral: Mistral,
    name: Annotated[str, Field(description="Name.", min_length=1, max_length=255)],
    description: Annotated[str | None, Field(description="What it holds.", max_length=10_000)] = None,
) -> Library:
    """Create a library, to add documents to."""
    return Library.from_reply(await mistral.send(libraries.CreateLibraryCall(name=name, description=description)))


@toolset.tool("List a library's documents", effect="reads")
async def mistral_list_documents(
    mistral: Mistral, library_id: LibraryId, search: Search = None, page: Page = 0, page_size: PageSize = 20
) -> Documents:
    """List a library's documents and whether each is processed."""
    call = libraries.ListDocumentsCall(library_id=library_id, page=page, page_size=page_size, search=search)
    reply = await mistral.send(call)
    total = reply.pagination.total_items
    following = next_page(page, page_size, len(reply.data), total)
    return Documents(documents=reply.data, total=total, next_page=following)


@toolset.tool("Add a document", effect="creates")
async def mistral_add_document(
    mistral: Mistral,
    library_id: LibraryId,
    filename: file_content.Filename,
    content: file_content.Text = None,
    content_base64: file_content.Base64 = None,
    path: file_content.LocalPath = None,
) -> Document:
    """Add a file to a library, its content given in one of the ways. Processing takes a while."""
    async with file_content.open_file_part(
        mistral, filename, content=content, content_base64=content_base64, path=path, max_bytes=files.LARGEST
    ) as part:
        return Document.from_reply(await mistral.send(libraries.AddDocumentCall(library_id=library_id, file=part)))


@toolset.tool("Read a document's text", effect="reads")
async def mistral_get_document_text(
    mistral: Mistral,
    kept_results: KeptResults,
    library_id: LibraryId,
    document_id: DocumentId,
    page_start: Annotated[int | None, Field(description="First page.", ge=0)] = None,
    page_end: Annotated[int | None, Field(description="Last page.", ge=0)] = None,
) -> DocumentText:
    """Read the text of a document in a library."""
    call = libraries.GetDocumentTextCall(
        library_id=library_id, document_id=document_id, page_start=page_start, page_end=page_end
    )
    reply = await mistral.send(call)
    text, kept = await kept_results.keep_if_long(
        reply.text, filename=f"{document_id}.md", mime_type="text/markdown"
    )
    return DocumentText(text=text, kept=kept)


@toolset.tool("Delete a document", effect="deletes")
async def mistral_delete_document(mistral: Mistral, library_id: LibraryId, document_id: DocumentId) -> Deleted:
    """Delete a document from a library permanently."""
    await mistral.send(libraries.DeleteDocumentCall(library_id=library_id, document_id=document_id))
    return Deleted(id=document_id)


@toolset.tool("Delete a library", effect="deletes")
async def mistral_delete_library(mistral: Mistral, library_id: LibraryId) -> Deleted:
    """Delete a library and all its documents permanently."""
    await mistral.send(libraries.DeleteLibraryCall(library_id=library_id))
    return Deleted(id=library_id)
