"""Files: stored for each key, and checked on upload."""

import json

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.state.files import CAPACITY
from tests.conftest import RECORDED

LINE = '{"custom_id":"0","body":{"messages":[]}}\n'
NOT_THERE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def upload(sdk: Mistral):
    async def put(
        name: str = "lines.jsonl", content: bytes = LINE.encode(), purpose: str = "batch", **fields: object
    ):
        return await sdk.files.upload_async(
            file={"file_name": name, "content": content}, purpose=purpose, **fields
        )

    return put


@pytest.fixture
def ask_for_error(api: httpx2.AsyncClient):
    async def put(name: str, content: bytes, purpose: str = "batch", kind: str = "") -> tuple[int, dict]:
        part = (name, content, kind) if kind else (name, content)
        reply = await api.post("/v1/files", files={"file": part}, data={"purpose": purpose})
        return reply.status_code, reply.json()

    return put


async def test_a_file_can_be_uploaded_looked_up_downloaded_and_deleted(sdk: Mistral, upload):
    file = await upload(visibility="user")
    found = await sdk.files.retrieve_async(file_id=file.id)
    content = await sdk.files.download_async(file_id=file.id)
    assert (file.size_bytes, file.num_lines, file.sample_type, file.source) == (41, 1, "batch_request", "upload")
    assert (found.id, found.visibility, found.deleted, found.expires_at) == (file.id, "user", False, None)
    assert await content.aread() == LINE.encode()
    assert (await sdk.files.delete_async(file_id=file.id)).deleted
    with pytest.raises(SDKError, match="404"):
        await sdk.files.retrieve_async(file_id=file.id)


async def test_a_card_has_the_members_of_the_recording(api: httpx2.AsyncClient):
    recording = json.loads(json.loads((RECORDED / "files-upload.json").read_text())["body"])
    files = {"file": ("sample.pdf", b"%PDF-1.4", "application/pdf")}
    card = (await api.post("/v1/files", files=files, data={"purpose": "ocr"})).json()
    same = ("object", "filename", "purpose", "sample_type", "num_lines", "mimetype", "source", "visibility")
    assert list(card) == list(recording)
    assert [card[name] for name in same] == [recording[name] for name in same]


async def test_lists_are_newest_first_in_pages_and_filtered(sdk: Mistral, upload):
    names = [f"{number}.jsonl" for number in range(5)]
    for name in names:
        await upload(name)
    await upload("scan.pdf", b"%PDF-1.4", "ocr")
    page = await sdk.files.list_async(page=1, page_size=2)
    assert [file.filename for file in page.data] == ["3.jsonl", "2.jsonl"]
    assert page.total == 6
    assert (await sdk.files.list_async(include_total=False)).total is None
    for filters, number in (
        ({"search": "SCAN"}, 1),
        ({"purpose": "batch"}, 5),
        ({"sample_type": ["batch_request", "pretrain"]}, 5),
        ({"source": ["mistral", "repository"]}, 0),
        ({"mimetypes": ["application/pdf"]}, 1),
    ):
        assert len((await sdk.files.list_async(**filters)).data) == number, filters


async def test_a_signed_link_has_a_signature_and_an_end(sdk: Mistral, api: httpx2.AsyncClient, upload):
    file = await upload()
    link = await sdk.files.get_signed_url_async(file_id=file.id, expiry=1)
    assert link.url.startswith("https://")
    assert "sig=" in link.url
    for hours in (0, 169):
        assert (await api.get(f"/v1/files/{file.id}/url", params={"expiry": hours})).status_code == 422


async def test_an_id_that_is_no_uuid_is_422_and_an_unknown_one_404(api: httpx2.AsyncClient):
    for path in ("", "/content", "/url"):
        wrong = await api.get(f"/v1/files/nonsense{path}")
        assert wrong.status_code == 422
        assert wrong.json()["detail"][0]["loc"] == ["path", "file_id"]
        missing = await api.get(f"/v1/files/{NOT_THERE}{path}")
        assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})


async def test_every_bad_line_of_a_batch_is_reported_at_once(ask_for_error):
    status, body = await ask_for_error("x.jsonl", b'{"body":{}}\nnonsense\n[1]\n{"custom_id":"1"}\n')
    assert (status, body["detail"]) == (422, "Invalid file format.")
    assert body["description"].startswith("Found 3 errors")
    assert [error["line_number"] for error in body["errors"]] == [2, 3, 4]


async def test_what_is_not_for_its_purpose_is_refused(ask_for_error):
    assert (await ask_for_error("x.jsonl", b""))[1]["errors"] == [{"message": "file is empty", "line_number": 0}]
    assert "UTF-8" in (await ask_for_error("x.jsonl", b"\xff\xfe"))[1]["detail"]
    assert "application/zip" in (await ask_for_error("x.zip", b"PK", "ocr", "application/zip"))[1]["message"]
    assert (await ask_for_error("x.jsonl", b"{}", "assistants"))[1]["detail"][0]["type"] == "literal_error"


async def test_training_data_is_checked_against_its_shape(ask_for_error):
    assert (await ask_for_error("x.jsonl", b'{"messages":[]}\n{"text":"a"}\n', "fine-tune"))[0] == 200
    assert (await ask_for_error("x.jsonl", b'{"body":{}}\n', "fine-tune"))[0] == 422


async def test_a_body_without_a_file_is_422(api: httpx2.AsyncClient):
    for body in ({"data": {"purpose": "batch"}}, {"json": {"purpose": "batch"}}, {}):
        reply = await api.post("/v1/files", **body)
        assert (reply.status_code, reply.json()["detail"][0]["loc"]) == (422, ["body", "file"])


async def test_other_keys_see_nothing_of_it(sdk: Mistral, stranger: Mistral, upload):
    file = await upload()
    assert (await stranger.files.list_async()).total == 0
    with pytest.raises(SDKError, match="404"):
        await stranger.files.retrieve_async(file_id=file.id)


async def test_what_a_key_may_keep_has_an_end(ask_for_error, sandbox: Sandbox):
    half = b"x" * (CAPACITY // 2)
    statuses = [(await ask_for_error("x.pdf", half, "ocr"))[0] for _ in range(3)]
    assert statuses == [200, 200, 413]
    sandbox.reset()
    assert (await ask_for_error("x.pdf", half, "ocr"))[0] == 200


async def test_ids_are_the_same_in_a_sandbox_that_starts_afresh(sandbox: Sandbox, upload):
    first = (await upload()).id
    second = (await upload()).id
    sandbox.reset()
    assert (await upload()).id == first != second


async def test_a_fresh_file_is_not_known_at_once(sdk: Mistral):
    file = await sdk.files.upload_async(file={"file_name": "sandbox-fresh.txt", "content": b"x"}, purpose="ocr")
    with pytest.raises(SDKError, match="File not found"):
        await sdk.files.get_signed_url_async(file_id=file.id)
    assert (await sdk.files.get_signed_url_async(file_id=file.id)).url
