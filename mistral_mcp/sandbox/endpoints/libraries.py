"""`/v1/libraries` and the documents in them."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_fields, invalid_value
from mistral_mcp.sandbox.protocol.forms import Form
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Count, Lax, Strict
from mistral_mcp.sandbox.state.files import SIGNED_URL_BASE, guess_type
from mistral_mcp.sandbox.state.libraries import Libraries, Library, LibraryDocument, pagination


class NewLibrary(Strict):
    name: str
    description: str | None = None
    chunk_size: Annotated[int, Field(ge=256, le=32_768)] | None = None
    owner_type: Literal["User", "Workspace"] | None = None


class LibraryUpdate(Strict):
    name: str | None = None
    description: str | None = None


class DocumentUpdate(Strict):
    name: str | None = None
    attributes: dict[str, Any] | None = None
    expires_at: AwareDatetime | datetime | None = None


class ListQuery(Lax):
    page: Count = 0
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    page_token: str | None = None
    search: str | None = None
    sort_by: Literal["created_at", "name", "size"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"

    @property
    def number(self) -> int:
        """The number of the requested page, from `page_token` or `page`. 422 if the token is invalid."""
        if self.page_token is None:
            return self.page
        try:
            return int(base64.urlsafe_b64decode(self.page_token))
        except (ValueError, binascii.Error):
            raise invalid_value("page_token is not one of ours", "query", "page_token") from None

    def cut(self, items: list[Any]) -> list[Any]:
        """The items on this page."""
        return items[self.number * self.page_size : (self.number + 1) * self.page_size]


class PageRange(Lax):
    page_start: Count | None = None
    page_end: Count | None = None


def list_libraries(call: Call) -> Reply:
    query = call.query(ListQuery)
    search = (query.search or "").lower()
    found = [each for each in call.account.section(Libraries).newest_first() if search in each.name.lower()]
    place = pagination(query.number, query.page_size, found)
    token = None
    if place["has_more"]:
        token = base64.urlsafe_b64encode(str(query.number + 1).encode()).decode()
    data = [library.card() for library in query.cut(found)]
    return json_reply({"pagination": place, "data": data, "next_page_token": token})


def create_library(call: Call) -> Reply:
    body = call.body(NewLibrary, invalid_fields)
    name = call.account.new_id("library")
    library = Library(name, body.name, body.description, body.owner_type or "User", body.chunk_size)
    return json_reply(call.account.section(Libraries).put(name, library).card(), 201)


def get_library(call: Call) -> Reply:
    return json_reply(_library(call).card())


def update_library(call: Call) -> Reply:
    """Change only the members that were sent."""
    body, library = call.body(LibraryUpdate, invalid_fields), _library(call)
    library.name = body.name or library.name
    if "description" in body.model_fields_set:
        library.description = body.description
    library.touch()
    return json_reply(library.card())


def delete_library(call: Call) -> Reply:
    """Reply with the deleted library; Mistral has announced a 204 instead."""
    return json_reply(call.account.section(Libraries).remove(call.uuid("library_id")).card())


def list_documents(call: Call) -> Reply:
    query, library = call.query(ListQuery), _library(call)
    search = (query.search or "").lower()
    found = [document for document in library.documents if search in document.name.lower()]
    if query.sort_by == "name":
        found.sort(key=lambda document: document.name)
    elif query.sort_by == "size":
        found.sort(key=lambda document: len(document.data))
    if query.sort_order == "desc":
        found.reverse()
    place = pagination(query.number, query.page_size, found)
    return json_reply(
        {
            "pagination": place,
            "data": [document.card() for document in query.cut(found)],
        }
    )


def add_document(call: Call) -> Reply:
    """201 for a new document, 200 for one with the same bytes as a document that is already there."""
    library, form = _library(call), call.form or Form()
    if "file" not in form.files:
        raise invalid_fields(
            [
                {
                    "type": "missing",
                    "loc": ["body", "file"],
                    "msg": "Field required",
                    "input": None,
                }
            ]
        )
    part = form.files["file"]
    kind = part.content_type.split(";")[0]
    if kind in ("", "application/octet-stream"):
        kind = guess_type(part.filename)
    document = LibraryDocument(call.account.new_id("document"), library.id, part.filename, kind, part.data)
    same = next((known for known in library.documents if known.hash == document.hash), None)
    if same is not None:
        return json_reply(same.card())
    call.account.section(Libraries).check_room(len(part.data))
    library.touch()
    return json_reply(library.documents.put(document.id, document).card(), 201)


def get_document(call: Call) -> Reply:
    """The document, after advancing its processing by one step."""
    document = _document(call)
    document.advance()
    return json_reply(document.card())


def update_document(call: Call) -> Reply:
    body, document = call.body(DocumentUpdate, invalid_fields), _document(call)
    document.name = body.name or document.name
    if "attributes" in body.model_fields_set:
        document.attributes = body.attributes
    if "expires_at" in body.model_fields_set:
        document.expires_at = body.expires_at and body.expires_at.isoformat()
    return json_reply(document.card())


def delete_document(call: Call) -> Reply:
    _library(call).documents.remove(call.uuid("document_id"))
    return Reply(204)


def text_content(call: Call) -> Reply:
    """The text of the document; empty until it has been processed."""
    pages = call.query(PageRange)
    return json_reply({"text": _document(call).text(pages.page_start, pages.page_end)})


def status(call: Call) -> Reply:
    """The processing status, after advancing it by one step."""
    document = _document(call)
    document.advance()
    return json_reply({"document_id": document.id, **document.progress()})


def signed_url(call: Call) -> Reply:
    """A JSON string."""
    document = _document(call)
    return json_reply(f"{SIGNED_URL_BASE}/libraries/{document.library_id}/{document.id}?sig={document.hash}")


def reprocess(call: Call) -> Reply:
    _document(call).reprocess()
    return Reply(204)


def _library(call: Call) -> Library:
    return call.account.section(Libraries).get(call.uuid("library_id"))


def _document(call: Call) -> LibraryDocument:
    return _library(call).documents.get(call.uuid("document_id"))


LIBRARY = "/v1/libraries/{library_id}"
DOCUMENT = f"{LIBRARY}/documents/{{document_id}}"

ENDPOINTS = (
    Endpoint("GET", "/v1/libraries", list_libraries),
    Endpoint("POST", "/v1/libraries", create_library),
    Endpoint("GET", LIBRARY, get_library),
    Endpoint("PATCH", LIBRARY, update_library),
    Endpoint("PUT", LIBRARY, update_library),
    Endpoint("DELETE", LIBRARY, delete_library),
    Endpoint("GET", f"{LIBRARY}/documents", list_documents),
    Endpoint("POST", f"{LIBRARY}/documents", add_document),
    Endpoint("GET", DOCUMENT, get_document),
    Endpoint("PATCH", DOCUMENT, update_document),
    Endpoint("PUT", DOCUMENT, update_document),
    Endpoint("DELETE", DOCUMENT, delete_document),
    Endpoint("GET", f"{DOCUMENT}/text_content", text_content),
    Endpoint("GET", f"{DOCUMENT}/status", status),
    Endpoint("GET", f"{DOCUMENT}/signed-url", signed_url),
    Endpoint("GET", f"{DOCUMENT}/extracted-text-signed-url", signed_url),
    Endpoint("POST", f"{DOCUMENT}/reprocess", reprocess),
)
