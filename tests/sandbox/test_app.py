"""Authentication, routing, planned faults and received requests."""

import time
import uuid

import httpx2
import pytest

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.app import LARGE_BODY, MAX_LARGE_REQUESTS

KEYLESS = ("", "Basic abc", "Bearer ", "Bearer invalid", "Bearer invalid-and-more")


@pytest.mark.parametrize("authorization", KEYLESS)
async def test_without_a_good_key_the_answer_is_401(authorization: str, api: httpx2.AsyncClient):
    reply = await api.get("/v1/models", headers={"authorization": authorization})
    assert (reply.status_code, reply.text) == (401, '{"detail":"Invalid API Key"}\n')


async def test_an_unknown_path_is_the_gateways_404(api: httpx2.AsyncClient):
    reply = await api.get("/v1/nothing")
    assert reply.status_code == 404
    assert reply.json() == {
        "message": "no Route matched with those values",
        "request_id": reply.headers["x-kong-request-id"].replace("-", ""),
    }


async def test_the_stream_marker_of_the_specification_is_no_path(api: httpx2.AsyncClient):
    assert (await api.post("/v1/chat/completions%23stream", json={})).status_code == 404


async def test_the_wrong_method_is_405_and_names_the_right_one(api: httpx2.AsyncClient):
    reply = await api.get("/v1/chat/completions")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


async def test_every_reply_has_a_correlation_id_that_tells_the_time(api: httpx2.AsyncClient):
    for path in ("/v1/models", "/v1/nothing", "/v1/models/none"):
        reply = await api.get(path)
        identity = uuid.UUID(reply.headers["mistral-correlation-id"])
        assert identity.version == 7
        assert abs((identity.int >> 80) / 1000 - time.time()) < 60
        assert reply.headers["x-kong-request-id"] == str(identity)


async def test_a_request_is_kept_as_it_came(sandbox: Sandbox, api: httpx2.AsyncClient):
    await api.post("/v1/models?a=1&a=2", json={"b": 3}, headers={"X-Test": "yes"})
    received = sandbox.requests[0]
    assert (received.method, received.path, received.query.getlist("a")) == ("POST", "/v1/models", ["1", "2"])
    assert (received.json, received.key, received.headers["x-test"]) == ({"b": 3}, "good-key", "yes")
    assert received.status == 405


async def test_reset_forgets(sandbox: Sandbox, api: httpx2.AsyncClient):
    await api.get("/v1/models")
    sandbox.reset()
    assert (len(sandbox.requests), sandbox.peak, len(sandbox.faults)) == (0, 0, 0)


async def test_of_old_large_requests_only_the_bodies_are_dropped(sandbox: Sandbox, api: httpx2.AsyncClient):
    for _ in range(MAX_LARGE_REQUESTS + 1):
        await api.post("/v1/nothing", content=b"x" * (LARGE_BODY + 1))
    lengths = [len(request.body) for request in sandbox.requests]
    assert lengths == [0, *[LARGE_BODY + 1] * MAX_LARGE_REQUESTS]


async def test_the_codestral_host_knows_chat_and_fim_alone():
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=Sandbox(codestral=True)),
        base_url="http://sandbox",
        headers={"authorization": "Bearer good-key"},
    ) as api:
        fim = await api.post("/v1/fim/completions", json={"model": "codestral-latest", "prompt": "x"})
        models = await api.get("/v1/models")
    assert fim.status_code == 200
    assert (models.status_code, models.json()) == (404, {"detail": "Not Found"})


async def test_a_doubled_v1_is_a_wrong_address(api: httpx2.AsyncClient):
    reply = await api.get("/v1/v1/models")
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})
