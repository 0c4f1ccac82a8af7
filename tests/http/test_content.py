"""Content negotiation: the accepted bodies, and the form of each client's answer."""

import json
from collections.abc import Sequence

import httpx2
import pytest

from tests.conftest import KEY
from tests.http.conftest import PING

JSON, EVENTS = "application/json", "text/event-stream"
LEGACY = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


async def post(
    http: httpx2.AsyncClient, accept: Sequence[str] = (), *, version: str = "2026-07-28", kind: str = JSON
) -> httpx2.Response:
    """As the client sends it, without what httpx2 would add by itself."""
    body = json.dumps(PING if version > "2026" else LEGACY).encode()
    request = http.build_request("POST", "/mcp", content=body, headers={"X-API-Key": KEY})
    request.headers["mcp-protocol-version"] = version
    request.headers["mcp-method"] = "tools/list"
    request.headers["content-type"] = kind
    others = [header for header in request.headers.raw if header[0].lower() != b"accept"]
    request.headers = httpx2.Headers([*others, *((b"accept", each.encode()) for each in accept)])
    return await http.send(request)


def answer(response: httpx2.Response) -> dict[str, object]:
    if response.headers["content-type"].startswith(JSON):
        return response.json()
    [data] = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return json.loads(data)


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
@pytest.mark.parametrize(
    ("accept", "forms"),
    [
        ([], {JSON, EVENTS}),
        ([""], {JSON, EVENTS}),
        (["*/*"], {JSON, EVENTS}),
        ([JSON], {JSON}),
        (["application/*"], {JSON}),
        (["application/json, application/mcp+json"], {JSON}),
        ([EVENTS], {EVENTS}),
        ([JSON, EVENTS], {JSON, EVENTS}),
        (["Application/JSON;q=0.9, TEXT/Event-Stream; q=0.5"], {JSON, EVENTS}),
        (["*/*, text/event-stream;q=0"], {JSON}),
        (["text/html, */*;q=0.1"], {JSON, EVENTS}),
    ],
)
async def test_an_answer_comes_in_a_form_that_the_client_accepts(
    http: httpx2.AsyncClient, version: str, accept: list[str], forms: set[str]
) -> None:
    response = await post(http, accept, version=version)

    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] in forms
    assert "tools" in str(answer(response)["result"])


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*"])
async def test_who_accepts_neither_form_is_told_of_both(http: httpx2.AsyncClient, accept: str) -> None:
    response = await post(http, [accept])

    assert response.status_code == 406
    assert "text/event-stream" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "kind", ["APPLICATION/Json", "application/json; charset=utf-8", "application/json;charset=UTF-8"]
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_a_media_type_has_no_letter_case(http: httpx2.AsyncClient, version: str, kind: str) -> None:
    assert (await post(http, version=version, kind=kind)).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_a_body_that_is_no_json_is_refused(http: httpx2.AsyncClient, kind: str) -> None:
    assert (await post(http, kind=kind)).status_code == 415


async def test_a_compressed_body_is_refused_with_what_is_accepted(http: httpx2.AsyncClient) -> None:
    headers = {"X-API-Key": KEY, "content-type": JSON, "content-encoding": "gzip"}
    response = await http.post("/mcp", content=b"x", headers=headers)

    assert response.status_code == 415
    assert response.headers["accept-encoding"] == "identity"


async def test_who_takes_one_json_body_gets_the_answer_without_the_reports_of_progress(
    http: httpx2.AsyncClient,
) -> None:
    call = {"name": "mistral_chat", "arguments": {"prompt": "Hello"}, "_meta": {"progressToken": 1}}
    headers = {"X-API-Key": KEY, "accept": JSON, "mcp-protocol-version": "2025-06-18"}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}
    response = await http.post("/mcp", json=body, headers=headers)

    assert response.headers["content-type"] == JSON
    assert response.json()["id"] == 7
    assert not response.json()["result"].get("isError")


async def test_answers_are_not_to_be_stored_or_guessed_at(http: httpx2.AsyncClient) -> None:
    for response in (await post(http), await http.post("/mcp"), await http.get("/nothing")):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
