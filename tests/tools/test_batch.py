"""The toolset `batch`, against the sandbox, whose jobs advance by one step at each look-up."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from tests.conftest import connect_in_memory, expect_refusal_at_once, read_kept_file, text_of

CHAT = "/v1/chat/completions"
MODEL = "mistral-small-latest"


@pytest.fixture
async def client(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="batch,files", output_dir=tmp_path) as client:
        yield client


def make_body(text: str, **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **members}


def requests(*texts: str) -> list[dict[str, Any]]:
    """One for each text; "bad" is none that Mistral takes."""
    return [
        {"custom_id": text, "body": {"nonsense": 1} if text.startswith("bad") else make_body(text)}
        for text in texts
    ]


async def create_job(client: Client, **arguments: Any) -> str:
    result = await client.call_tool("mistral_create_batch_job", {"endpoint": CHAT, "model": MODEL, **arguments})
    assert not result.is_error, text_of(result)
    return result.structured_content["id"]


async def run_job(client: Client, **arguments: Any) -> str:
    job_id = await create_job(client, **arguments)
    status = ""
    while status not in {"SUCCESS", "FAILED", "CANCELLED"}:
        job = await client.call_tool("mistral_get_batch_job", {"job_id": job_id})
        status = job.structured_content["status"]
    return job_id


async def from_file(client: Client, rows: list[dict[str, Any]]) -> list[str]:
    content = "\n".join(json.dumps(row) for row in rows)
    result = await client.call_tool(
        "mistral_upload_file", {"filename": "batch.jsonl", "purpose": "batch", "content": content}
    )
    return [result.structured_content["id"]]


async def test_a_job_is_created_looked_at_and_read(client: Client) -> None:
    job_id = await create_job(client, requests=requests("one", "two"), metadata={"for": "a test"}, timeout_hours=2)
    first = await client.call_tool("mistral_get_batch_job", {"job_id": job_id})
    early = await client.call_tool("mistral_get_batch_results", {"job_id": first.structured_content["id"]})
    results = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})

    assert first.structured_content["status"] == "RUNNING"
    assert first.structured_content["total_requests"] == 2
    assert first.structured_content["metadata"] == {"for": "a test"}
    assert f"{job_id}  RUNNING: {CHAT} with {MODEL}, 1 of 2 done, created 20" in text_of(first)
    assert early.structured_content["status"] == "SUCCESS"
    rows = results.structured_content["results"]
    assert [row["custom_id"] for row in rows] == ["one", "two"]
    assert "one" in rows[0]["text"]
    assert rows[0]["status_code"] == 200
    assert text_of(results).startswith("[one] ")


async def test_answers_are_not_waited_for(client: Client, sandbox: Sandbox) -> None:
    job_id = await create_job(client, requests=requests("one", "two"))
    before = len(sandbox.requests)
    result = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})

    assert text_of(result) == "The job is RUNNING (1 of 2 done): answers are available when it has ended."
    assert result.structured_content["note"] == text_of(result)
    assert result.structured_content["results"] == []
    assert len(sandbox.requests) == before + 1


@pytest.mark.parametrize("way", ["requests", "input_files"])
async def test_failed_answers_are_distinguished_with_their_reason(client: Client, way: str) -> None:
    rows = requests("one", "bad 1", "two", "bad 2")
    given = {way: rows if way == "requests" else await from_file(client, rows)}
    job_id = await run_job(client, **given)
    every = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})
    failed = await client.call_tool("mistral_get_batch_results", {"job_id": job_id, "only": "failed"})
    succeeded = await client.call_tool("mistral_get_batch_results", {"job_id": job_id, "only": "succeeded"})

    found = every.structured_content["results"]
    assert [row["custom_id"] for row in found] == ["one", "two", "bad 1", "bad 2"]
    assert found[2]["status_code"] == 422
    assert "Field required (field body.messages)" in found[2]["error"]
    assert "text" not in found[2]
    assert "[bad 1] FAILED: " in text_of(every)
    assert (every.structured_content["succeeded"], every.structured_content["failed"]) == (2, 2)
    assert failed.structured_content["results"] == found[2:]
    assert succeeded.structured_content["results"] == found[:2]


async def test_answers_come_a_page_at_a_time(client: Client) -> None:
    job_id = await run_job(client, input_files=await from_file(client, requests("a", "b", "c", "bad")))
    pages = [
        await client.call_tool("mistral_get_batch_results", {"job_id": job_id, "page_size": 3, "page": page})
        for page in (0, 1)
    ]

    assert [row["custom_id"] for row in pages[0].structured_content["results"]] == ["a", "b", "c"]
    assert pages[0].structured_content["next_page"] == 1
    assert text_of(pages[0]).endswith("(more on page 1)")
    assert [row["custom_id"] for row in pages[1].structured_content["results"]] == ["bad"]
    assert "next_page" not in pages[1].structured_content


async def test_usage_is_summed_and_costs_half(client: Client) -> None:
    job_id = await run_job(client, requests=requests("one", "two"))
    both = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})
    one = await client.call_tool("mistral_get_batch_results", {"job_id": job_id, "page_size": 1})

    usage = both.structured_content["page_usage"]
    assert usage["prompt_tokens"] > one.structured_content["page_usage"]["prompt_tokens"] > 0
    full = (usage["prompt_tokens"] * 0.15 + usage["completion_tokens"] * 0.6) / 1_000_000
    assert usage["cost_usd"] == pytest.approx(full / 2)


async def test_long_answers_are_cut_and_kept_as_a_whole(client: Client) -> None:
    rows = [{"custom_id": str(number), "body": make_body("word " * 2_000)} for number in range(20)]
    job_id = await run_job(client, requests=rows)
    many = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})
    alone = await client.call_tool("mistral_get_batch_results", {"job_id": job_id, "page_size": 1})

    kept = many.structured_content["kept"]
    assert len(text_of(many)) < 50_000
    assert f"Some answers are cut. [Shown are 0 of {kept['characters']:,} characters" in text_of(many)
    whole = [json.loads(line) for line in read_kept_file(kept).decode().splitlines()]
    assert [row["custom_id"] for row in whole] == [row["custom_id"] for row in many.structured_content["results"]]
    assert whole[0]["text"] == alone.structured_content["results"][0]["text"]
    assert "kept" not in alone.structured_content


async def test_vectors_do_not_flood_a_context(client: Client) -> None:
    rows = [{"custom_id": str(number), "body": {"input": ["a text"]}} for number in range(10)]
    job_id = await run_job(client, endpoint="/v1/embeddings", model="mistral-embed", requests=rows)
    result = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})

    assert len(json.dumps(result.structured_content)) < 60_000


async def test_what_is_no_text_comes_as_it_is(client: Client) -> None:
    rows = [{"custom_id": "a", "body": {"input": ["I will kill you"]}}]
    job_id = await run_job(client, endpoint="/v1/moderations", model="mistral-moderation-latest", requests=rows)
    result = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})

    row = result.structured_content["results"][0]
    assert row["body"]["results"][0]["categories"]["violence_and_threats"] is True
    assert json.loads(text_of(result).removeprefix("[a] ")) == row["body"]


async def test_a_request_without_an_id_gets_its_position(client: Client, sandbox: Sandbox) -> None:
    await create_job(client, requests=[{"body": make_body("x")}, {"custom_id": "b", "body": make_body("y")}])

    assert [row["custom_id"] for row in sandbox.requests[-1].json["requests"]] == ["0", "b"]


async def test_nothing_is_sent_that_the_caller_did_not_ask_for(client: Client, sandbox: Sandbox) -> None:
    await create_job(client, requests=requests("one"))

    assert sandbox.requests[-1].json == {"endpoint": CHAT, "model": MODEL, "requests": requests("one")}


async def test_a_model_that_every_request_names_is_enough(client: Client, sandbox: Sandbox) -> None:
    rows = [{"body": make_body("x", model=MODEL)}, {"body": make_body("y", model=MODEL)}]
    result = await client.call_tool("mistral_create_batch_job", {"endpoint": CHAT, "requests": rows})

    assert "model" not in sandbox.requests[-1].json
    assert "model is missing" not in text_of(result)


async def test_times_are_iso_8601_in_utc(client: Client) -> None:
    job = await client.call_tool(
        "mistral_get_batch_job", {"job_id": await run_job(client, requests=requests("one"))}
    )

    for member in ("created_at", "started_at", "completed_at"):
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", job.structured_content[member])


async def test_a_creation_that_failed_is_not_repeated(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(drop="before_headers"))
    result = await client.call_tool(
        "mistral_create_batch_job", {"endpoint": CHAT, "model": MODEL, "requests": requests("one")}
    )

    assert "check before retrying" in text_of(result)
    assert len(sandbox.requests) == 1


async def test_jobs_are_listed_by_status_and_model(client: Client) -> None:
    done = await run_job(client, requests=requests("one"))
    queued = await create_job(client, requests=requests("two"))
    every = await client.call_tool("mistral_list_batch_jobs", {})
    first = await client.call_tool("mistral_list_batch_jobs", {"page_size": 1})
    some = await client.call_tool("mistral_list_batch_jobs", {"status": "SUCCESS", "model": MODEL})
    none = await client.call_tool("mistral_list_batch_jobs", {"model": "another"})

    assert [job["id"] for job in every.structured_content["jobs"]] == [queued, done]
    assert every.structured_content["total"] == 2
    assert first.structured_content["next_page"] == 1
    assert "(2 in all; more on page 1)" in text_of(first)
    assert [job["id"] for job in some.structured_content["jobs"]] == [done]
    assert text_of(none) == "No batch jobs."


async def test_a_cancelled_job_keeps_what_was_answered(client: Client, sandbox: Sandbox) -> None:
    job_id = await create_job(client, requests=requests("one", "two"))
    await client.call_tool("mistral_get_batch_job", {"job_id": job_id})
    cancelled = await client.call_tool("mistral_cancel_batch_job", {"job_id": job_id})
    request = sandbox.requests[-1]
    results = await client.call_tool("mistral_get_batch_results", {"job_id": job_id})

    assert cancelled.structured_content["status"] == "CANCELLATION_REQUESTED"
    assert (request.method, request.path, request.body) == ("POST", f"/v1/batch/jobs/{job_id}/cancel", b"")
    assert [row["custom_id"] for row in results.structured_content["results"]] == ["one"]


CALLING = {"choices": [{"message": {"content": "", "tool_calls": [{"id": "x", "function": {"name": "f"}}]}}]}
DETAILS = json.dumps({"detail": [{"loc": ["body", "n"], "msg": "No"}, {"msg": "Nor"}]})


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"custom_id": "a"}, {"error": "no reason is given"}),
        ({"custom_id": "a", "response": None, "error": {"message": "Timeout"}}, {"error": "Timeout"}),
        (
            {"custom_id": "a", "response": {"status_code": 500, "body": "<html>"}},
            {"status_code": 500, "error": "<html>"},
        ),
        (
            {"custom_id": "a", "response": {"status_code": 422, "body": DETAILS}},
            {"status_code": 422, "error": "No (field body.n); Nor"},
        ),
        (
            {"custom_id": "a", "response": {"status_code": 200, "body": CALLING}},
            {"status_code": 200, "body": CALLING},
        ),
        (["no", "row"], {"custom_id": None, "error": "the row cannot be read"}),
    ],
)
async def test_rows_of_any_shape_are_read(
    client: Client, sandbox: Sandbox, row: object, shown: dict[str, object]
) -> None:
    job = {"id": "j", "status": "SUCCESS", "output_file": "f", "endpoint": CHAT, "input_files": []}
    sandbox.faults.append(Fault(status=200, body=job))
    sandbox.faults.append(Fault(status=200, body=f"{json.dumps(row)}\n\n".encode()))
    result = await client.call_tool("mistral_get_batch_results", {"job_id": "j"})

    assert result.structured_content["results"] == [{"custom_id": "a", "status_code": None} | shown]


async def test_a_job_that_left_nothing_says_why(client: Client, sandbox: Sandbox) -> None:
    job = {"id": "j", "status": "FAILED", "errors": [{"message": "Out of luck", "count": 3}]}
    sandbox.faults.append(Fault(status=200, body=job))
    result = await client.call_tool("mistral_get_batch_results", {"job_id": "j"})

    assert text_of(result) == "The job ended as FAILED and left no answers: Out of luck (3 times)."


async def test_members_of_a_job_may_be_null(client: Client, sandbox: Sandbox) -> None:
    nulls = dict.fromkeys(["errors", "input_files", "total_requests", "failed_requests", "model", "metadata"])
    sandbox.faults.append(Fault(status=200, body={"id": "j", "status": "QUEUED", **nulls}))
    result = await client.call_tool("mistral_get_batch_job", {"job_id": "j"})

    assert not result.is_error
    assert result.structured_content["total_requests"] == 0


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("mistral_create_batch_job", {"requests": requests("x")}, "endpoint is missing"),
        (
            "mistral_create_batch_job",
            {"endpoint": "/v1/responses", "requests": requests("x")},
            "endpoint must be /v1/chat/completions",
        ),
        ("mistral_create_batch_job", {"endpoint": CHAT}, "none of them is given"),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "requests": requests("x"), "input_files": ["y"]},
            "are given together",
        ),
        ("mistral_create_batch_job", {"endpoint": CHAT, "requests": []}, "none of them is given"),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "model": MODEL, "requests": requests("x", "y", "x")},
            "requests[0] and requests[2] have the same custom_id",
        ),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "requests": [{"custom_id": "x"}]},
            "requests[0].body is missing",
        ),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "requests": [{"body": "x"}]},
            "requests[0].body must be an object",
        ),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "requests": [{"bdy": {}, "body": {}}]},
            "requests[0].bdy is not known",
        ),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "input_files": ["a"], "timeout_hours": 0},
            "timeout_hours",
        ),
        (
            "mistral_create_batch_job",
            {"endpoint": CHAT, "input_files": ["a"], "metadata": {"a": ""}},
            "metadata.a",
        ),
        ("mistral_create_batch_job", {"endpoint": CHAT, "requests": requests("x")}, "model is missing"),
        ("mistral_create_batch_job", {"endpoint": CHAT, "input_files": ["a"]}, "model is missing"),
        ("mistral_list_batch_jobs", {"status": "DONE"}, "status must be QUEUED, RUNNING"),
        ("mistral_get_batch_results", {"job_id": "x", "page_size": 0}, "page_size must be at least 1"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, tool, arguments, sentence)


async def test_regions_carry_no_batches() -> None:
    async with connect_in_memory("us", toolsets="batch") as client:
        result = await client.call_tool("mistral_list_batch_jobs", {})

    assert "does not support this call" in text_of(result)
