"""Libraries and their documents."""

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError

# The SDK warns of every list, for the sake of single parameters.
pytestmark = pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")

NOT_THERE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def library(sdk: Mistral) -> str:
    return (await sdk.beta.libraries.create_async(name="Papers", description="To read")).id


@pytest.fixture
def add(sdk: Mistral, library: str):
    async def put(name: str = "a.txt", content: bytes = b"One\fTwo\fThree"):
        file = {"file_name": name, "content": content}
        return await sdk.beta.libraries.documents.upload_async(library_id=library, file=file)

    return put


async def process_statuses(sdk: Mistral, library: str, document: str) -> list[str]:
    asked = {"library_id": library, "document_id": document}
    return [(await sdk.beta.libraries.documents.status_async(**asked)).process_status for _ in range(3)]


async def test_a_library_can_be_made_looked_up_changed_and_deleted(sdk: Mistral, library: str):
    libraries = sdk.beta.libraries
    assert (await libraries.get_async(library_id=library)).name == "Papers"
    assert (await libraries.update_async(library_id=library, name="Books")).description == "To read"
    assert (await libraries.libraries_update_v1_async(library_id=library, description=None)).name == "Books"
    gone = await libraries.delete_async(library_id=library)
    assert (gone.name, gone.description) == ("Books", None)
    with pytest.raises(SDKError, match=r"404.*Library not found"):
        await libraries.get_async(library_id=library)


async def test_making_answers_201(api: httpx2.AsyncClient):
    assert (await api.post("/v1/libraries", json={"name": "x"})).status_code == 201


async def test_libraries_are_listed_by_token(sdk: Mistral):
    for number in range(3):
        await sdk.beta.libraries.create_async(name=f"Library {number}")
    first = await sdk.beta.libraries.list_async(page_size=2)
    second = await sdk.beta.libraries.list_async(page_size=2, page_token=first.next_page_token)
    names = [library.name for library in (*first.data, *second.data)]
    assert names == ["Library 2", "Library 1", "Library 0"]
    assert second.next_page_token is None
    assert len((await sdk.beta.libraries.list_async(search="LIBRARY 1")).data) == 1


async def test_a_document_is_processed_as_it_is_looked_at(sdk: Mistral, library: str, add):
    document = await add()
    asked = {"library_id": library, "document_id": document.id}
    documents = sdk.beta.libraries.documents
    assert (document.process_status, document.number_of_pages) == ("todo", None)
    assert (await documents.text_content_async(**asked)).text == ""
    assert await process_statuses(sdk, library, document.id) == ["in_progress", "done", "done"]
    assert (await documents.text_content_async(**asked)).text == "One\n\nTwo\n\nThree"
    assert (await documents.text_content_async(**asked, page_start=1, page_end=1)).text == "Two"
    done = await documents.get_async(**asked)
    assert (done.number_of_pages, done.mime_type, done.extension) == (3, "text/plain", "txt")
    await documents.reprocess_async(**asked)
    assert (await documents.get_async(**asked)).process_status == "in_progress"


async def test_what_cannot_be_read_ends_in_an_error(sdk: Mistral, library: str, add):
    document = await add("bad.pdf", b"no pdf")
    assert await process_statuses(sdk, library, document.id) == ["in_progress", "error", "error"]


async def test_the_same_bytes_are_the_same_document(api: httpx2.AsyncClient, library: str):
    path = f"/v1/libraries/{library}/documents"
    replies = [await api.post(path, files={"file": (name, b"Same")}) for name in ("a.txt", "b.txt")]
    assert [reply.status_code for reply in replies] == [201, 200]
    assert replies[0].json()["id"] == replies[1].json()["id"]


async def test_documents_are_listed_changed_and_deleted(sdk: Mistral, library: str, add):
    ids = [(await add(f"{name}.txt", name.encode() * size)).id for name, size in (("b", 1), ("c", 3), ("a", 2))]
    documents = sdk.beta.libraries.documents
    listed = await documents.list_async(library_id=library, page_size=2)
    assert [document.name for document in listed.data] == ["a.txt", "c.txt"]
    assert (listed.pagination.total_items, listed.pagination.has_more) == (3, True)
    by_size = await documents.list_async(library_id=library, sort_by="size", sort_order="asc", search=".TXT")
    assert [document.name for document in by_size.data] == ["b.txt", "a.txt", "c.txt"]
    asked = {"library_id": library, "document_id": ids[0]}
    assert (await documents.update_async(**asked, name="z.txt", attributes={"read": True})).attributes == {
        "read": True
    }
    assert (await documents.get_signed_url_async(**asked)).startswith("https://")
    assert (await documents.extracted_text_signed_url_async(**asked)).startswith("https://")
    await documents.delete_async(**asked)
    assert (await sdk.beta.libraries.get_async(library_id=library)).nb_documents == 2
    with pytest.raises(SDKError, match=r"404.*Document not found"):
        await documents.get_async(**asked)


async def test_other_keys_see_nothing_of_it(stranger: Mistral, library: str):
    assert (await stranger.beta.libraries.list_async()).data == []
    with pytest.raises(SDKError, match="404"):
        await stranger.beta.libraries.get_async(library_id=library)


async def test_what_does_not_fit_is_422(sdk: Mistral, api: httpx2.AsyncClient, library: str):
    for method, path, body in (
        ("POST", "", {}),
        ("POST", "", {"name": "x", "chunk_size": 1}),
        ("POST", "", {"name": "x", "color": "red"}),
        ("GET", "/nonsense", None),
        ("GET", f"/{library}/documents/nonsense", None),
        ("POST", f"/{library}/documents", {}),
        ("GET", "?page_size=101", None),
        ("GET", "?page_token=nonsense", None),
    ):
        reply = await api.request(method, f"/v1/libraries{path}", json=body)
        assert reply.status_code == 422, path
        assert reply.json()["detail"][0]["loc"]
    with pytest.raises(HTTPValidationError):
        await sdk.beta.libraries.list_async(page_size=0)
    assert (await api.get(f"/v1/libraries/{library}/documents/{NOT_THERE}")).status_code == 404
