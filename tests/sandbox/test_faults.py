"""Planned faults, in process; `test_wire.py` has those that need a socket."""

import json

import httpx2
import pytest

from mistral_mcp.sandbox import Fault, Sandbox


@pytest.fixture
def ask_with_fault(sandbox: Sandbox, chat):
    """Plan a fault, and ask."""

    async def ask(fault: Fault, **fields: object) -> httpx2.Response:
        sandbox.faults.append(fault)
        return await chat(**fields)

    return ask


NONSENSE = [
    {},
    {"status": 500, "hang": True},
    {"status": 500, "pass_through": True},
    {"drop": "mid_body", "malformed": True},
    {"malformed": True, "html": True},
    {"body": "x", "empty": True},
    {"cut_after": 1, "drop": "mid_body"},
    {"no_done": True, "error_event": True},
    {"status": 99},
    {"status": 500, "delay": -1},
    {"cut_after": -1},
    {"status": 500, "times": 0},
    {"status": 500, "bare": True},
]
NAMED = [
    (Fault.rate_limited(), 429, "1300"),
    (Fault.not_on_plan(), 429, "1300"),
    (Fault.capacity(), 429, "3505"),
    (Fault.capacity(backend=True), 429, "3505"),
    (Fault.capacity(code=None), 429, None),
    (Fault.batch_too_large(), 400, None),
    (Fault.json_in_message(), 422, "1000"),
    (Fault.tier_not_allowed(), 403, "1910"),
    (Fault.labs_not_enabled(), 403, "1913"),
    (Fault.invalid_model("gone"), 400, "1500"),
    (Fault(status=503), 503, "1100"),
]


@pytest.mark.parametrize("fields", NONSENSE)
def test_a_fault_that_makes_no_sense_cannot_be_made(fields: dict):
    with pytest.raises(ValueError, match=r"fault|status|count|error_event"):
        Fault(**fields)


@pytest.mark.parametrize(("fault", "status", "code"), NAMED)
async def test_named_faults_answer_with_their_code(fault: Fault, status: int, code: str, ask_with_fault):
    reply = await ask_with_fault(fault)
    body = reply.json()
    assert (reply.status_code, body["code"], body["raw_status_code"]) == (status, code, status)


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 520, 524, 204]
)
async def test_every_status_has_a_customary_body(status: int, ask_with_fault):
    reply = await ask_with_fault(Fault(status=status))
    assert reply.status_code == status
    assert "mistral-correlation-id" in reply.headers


async def test_a_limit_of_0_shows_in_the_headers(ask_with_fault):
    assert (await ask_with_fault(Fault.not_on_plan())).headers["x-ratelimit-limit-req-minute"] == "0"
    assert (await ask_with_fault(Fault.rate_limited(1.5))).headers["retry-after"] == "1.5"


async def test_a_guardrail_has_another_envelope(ask_with_fault):
    assert (await ask_with_fault(Fault.guardrail_blocked())).json()["error"]["status"] == 403


async def test_bodies_can_be_anything(ask_with_fault):
    assert (await ask_with_fault(Fault(body="text"))).text == "text"
    assert (await ask_with_fault(Fault(body=b"\xff"))).content == b"\xff"
    assert (await ask_with_fault(Fault(status=418, body={"a": 1}))).json() == {"a": 1}
    assert (await ask_with_fault(Fault(empty=True))).content == b""
    assert "<html>" in (await ask_with_fault(Fault.bad_gateway(504))).text


async def test_json_can_be_broken(ask_with_fault):
    with pytest.raises(json.JSONDecodeError):
        (await ask_with_fault(Fault(malformed=True))).json()


async def test_a_message_can_repeat_the_key(ask_with_fault):
    assert "Bearer good-key" in (await ask_with_fault(Fault(echo_key=True))).json()["message"]


async def test_a_stream_can_end_without_its_end(ask_with_fault):
    text = (await ask_with_fault(Fault(no_done=True), stream=True)).text
    assert "[DONE]" not in text
    assert '"finish_reason":"stop"' not in text
    assert text.count("data:") > 3


async def test_a_stream_can_carry_an_error(ask_with_fault):
    lines = (await ask_with_fault(Fault(error_event=True, cut_after=2), stream=True)).text.strip().split("\n\n")
    assert len(lines) == 3
    assert json.loads(lines[-1].removeprefix("data: "))["object"] == "error"


async def test_faults_of_streams_leave_plain_answers_alone(ask_with_fault):
    assert (await ask_with_fault(Fault(no_done=True))).status_code == 200
    assert (await ask_with_fault(Fault(error_event=True))).status_code == 200


async def test_headers_can_be_added_to_a_good_answer(ask_with_fault):
    reply = await ask_with_fault(Fault(headers={"x-model-deprecation-timestamp": "2026-12-01T00:00:00Z"}))
    assert reply.status_code == 200
    assert "x-model-deprecation-timestamp" in reply.headers


async def test_faults_are_met_in_order_and_then_all_is_well(sandbox: Sandbox, chat):
    sandbox.faults.extend([Fault(status=500, times=2), Fault(pass_through=True), Fault(status=503)])
    assert [(await chat()).status_code for _ in range(5)] == [500, 500, 200, 503, 200]


async def test_a_fault_can_be_meant_for_some_paths(sandbox: Sandbox, chat, api: httpx2.AsyncClient):
    sandbox.faults.append(Fault(status=500, match="/v1/chat"))
    assert (await api.get("/v1/models")).status_code == 200
    assert (await chat()).status_code == 500
    assert len(sandbox.faults) == 0


async def test_a_fault_can_last(sandbox: Sandbox, chat):
    sandbox.faults.append(Fault(status=500, times=None))
    assert {(await chat()).status_code for _ in range(5)} == {500}
    assert list(sandbox.faults) == [Fault(status=500, times=None)]
    sandbox.faults.clear()
    assert (await chat()).status_code == 200


async def test_what_stands_before_mistral_answers_in_its_own_way(ask_with_fault):
    edge = await ask_with_fault(Fault.edge_block())
    assert (edge.status_code, edge.headers["content-type"]) == (403, "text/html")
    plain = await ask_with_fault(Fault.plain_text(400, "bad"))
    assert (plain.status_code, plain.text, plain.headers["content-type"]) == (400, "bad", "text/plain")
    assert (await ask_with_fault(Fault.wrong_address())).json() == {"detail": "Not Found"}
    assert (await ask_with_fault(Fault.file_not_known_yet())).json() == {"detail": "File not found"}
    assert (await ask_with_fault(Fault(status=410))).json() == {"detail": "Gone"}


async def test_an_error_can_stand_in_a_200(ask_with_fault):
    reply = await ask_with_fault(Fault.error_in_ok())
    assert (reply.status_code, reply.json()["object"], reply.json()["code"]) == (200, "error", "3280")


async def test_an_error_in_a_stream_can_be_without_data(ask_with_fault):
    reply = await ask_with_fault(Fault(error_event=True, bare=True, cut_after=0), stream=True)
    assert json.loads(reply.text)["object"] == "error"
