"""The toolset `fine_tuning`, against the sandbox."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from tests.conftest import connect_in_memory, expect_refusal_at_once, text_of

ID = "00000000-0000-4000-8000-000000000000"
SAMPLE = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}


@pytest.fixture
def sandbox() -> Sandbox:
    """Mistral as it was when it still had these jobs."""
    return Sandbox(fine_tuning=True)


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="fine_tuning,files") as client:
        yield client


@pytest.fixture
async def training(client: Client) -> str:
    """The id of an uploaded file of samples."""
    content = "\n".join([json.dumps(SAMPLE)] * 3)
    return (await call_tool(client, "upload_file", filename="a.jsonl", purpose="fine-tune", content=content))["id"]


async def call_tool(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(f"mistral_{tool}", arguments)
    assert not result.is_error, text_of(result)
    return result.structured_content


async def create_job(client: Client, training: str, **arguments: object) -> dict[str, Any]:
    asked = {"model": "open-mistral-nemo", "training_files": [training], **arguments}
    return await call_tool(client, "create_fine_tuning_job", **asked)


async def fine_tune(client: Client, training: str) -> str:
    """A model that a job has made; in the sandbox each look takes a job a step further."""
    job = await create_job(client, training, auto_start=True, suffix="mine")
    for _ in range(9):
        seen = await call_tool(client, "get_fine_tuning_job", job_id=job["id"])
        if "fine_tuned_model" in seen:
            return seen["fine_tuned_model"]
    pytest.fail("the job made no model")


async def test_a_job_is_created_with_what_was_asked_and_waits_to_be_started(
    client: Client, sandbox: Sandbox, training: str
) -> None:
    job = await create_job(client, training, hyperparameters={"training_steps": 10}, suffix="mine")

    assert set(job) == {"id", "status", "model"}
    assert sandbox.requests[-1].json == {
        "model": "open-mistral-nemo",
        "training_files": [{"file_id": training, "weight": 1}],
        "hyperparameters": {"training_steps": 10},
        "auto_start": False,
        "suffix": "mine",
    }


async def test_a_dry_run_gives_an_estimate_and_starts_nothing(
    client: Client, sandbox: Sandbox, training: str
) -> None:
    asked = {"model": "open-mistral-nemo", "training_files": [training], "dry_run": True}
    result = await client.call_tool("mistral_create_fine_tuning_job", asked)

    assert set(result.structured_content) == {"model", "estimate"}
    assert result.structured_content["estimate"]["cost"] == 4
    assert "Nothing was started." in text_of(result)
    assert sandbox.requests[-1].query["dry_run"] == "true"
    assert "dry_run" not in sandbox.requests[-1].json
    assert (await call_tool(client, "list_fine_tuning_jobs"))["total"] == 0


async def test_a_classifier_takes_targets(client: Client, sandbox: Sandbox, training: str) -> None:
    targets = [{"name": "mood", "labels": ["good", "bad"]}]
    asked = {"model": "ministral-3b-2410", "training_files": [training], "job_type": "classifier"}
    await client.call_tool("mistral_create_fine_tuning_job", {**asked, "classifier_targets": targets})

    assert sandbox.requests[-1].json["job_type"] == "classifier"
    assert sandbox.requests[-1].json["classifier_targets"] == targets


async def test_a_job_is_started_looked_up_listed_and_cancelled(
    client: Client, sandbox: Sandbox, training: str
) -> None:
    job = {"job_id": (await create_job(client, training))["id"]}
    seen = await call_tool(client, "get_fine_tuning_job", **job)
    assert seen["training_files"] == [training]
    assert (await call_tool(client, "start_fine_tuning_job", **job))["status"] == "STARTED"
    listed = await client.call_tool("mistral_list_fine_tuning_jobs", {})
    assert [found["id"] for found in listed.structured_content["jobs"]] == [job["job_id"]]
    assert f"{job['job_id']}  " in text_of(listed)

    cancelled = await call_tool(client, "cancel_fine_tuning_job", **job)
    assert cancelled["status"].startswith("CANCEL")
    assert (sandbox.requests[-1].method, sandbox.requests[-1].body) == ("POST", b"")
    assert sandbox.requests[-1].path == f"/v1/fine_tuning/jobs/{job['job_id']}/cancel"


async def test_events_come_newest_first_and_not_all_of_them(client: Client, sandbox: Sandbox) -> None:
    events = [{"name": f"event {number}", "created_at": number} for number in range(50)]
    job = {
        "id": ID,
        "status": "RUNNING",
        "model": "m",
        "training_files": [],
        "hyperparameters": {},
        "events": events,
    }
    sandbox.faults.append(Fault(status=200, body=job))
    shown = (await call_tool(client, "get_fine_tuning_job", job_id=ID))["events"]

    assert [event["name"] for event in shown[:2]] == ["event 49", "event 48"]
    assert len(shown) == 20


async def test_jobs_are_listed_by_status_in_pages(client: Client, sandbox: Sandbox, training: str) -> None:
    for _ in range(3):
        await create_job(client, training)
    result = await client.call_tool("mistral_list_fine_tuning_jobs", {"page_size": 2})
    assert result.structured_content["next_page"] == 1
    assert "(3 in all; more on page 1)" in text_of(result)

    await call_tool(client, "list_fine_tuning_jobs", status="RUNNING")
    assert sandbox.requests[-1].query["status"] == "RUNNING"


async def test_a_model_is_renamed_archived_taken_out_again_and_deleted(
    client: Client, sandbox: Sandbox, training: str
) -> None:
    model = await fine_tune(client, training)
    renamed = await call_tool(client, "update_fine_tuned_model", model=model, name="Mine", description="It is")
    assert (renamed["name"], renamed["description"]) == ("Mine", "It is")
    assert (sandbox.requests[-1].method, sandbox.requests[-1].json["name"]) == ("PATCH", "Mine")
    assert (await call_tool(client, "archive_fine_tuned_model", model=model))["archived"]
    assert sandbox.requests[-1].method == "POST"
    assert not (await call_tool(client, "unarchive_fine_tuned_model", model=model))["archived"]
    assert (sandbox.requests[-1].method, sandbox.requests[-1].path) == (
        "DELETE",
        f"/v1/fine_tuning/models/{model}/archive",
    )
    assert await call_tool(client, "delete_fine_tuned_model", model=model) == {"id": model, "deleted": True}


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("list_fine_tuning_jobs", {}, "Mistral does not offer fine-tuning jobs to this account."),
        (
            "create_fine_tuning_job",
            {"model": "open-mistral-nemo", "training_files": [ID]},
            "Mistral does not offer fine-tuning jobs to this account.",
        ),
        ("get_fine_tuning_job", {"job_id": ID}, "There is no such job, or Mistral does not offer"),
        ("start_fine_tuning_job", {"job_id": ID}, "There is no such job, or Mistral does not offer"),
        ("cancel_fine_tuning_job", {"job_id": ID}, "There is no such job, or Mistral does not offer"),
    ],
)
async def test_an_account_without_fine_tuning_is_reported(
    tool: str, arguments: dict[str, object], sentence: str, client: Client, sandbox: Sandbox
) -> None:
    sandbox.faults.append(Fault(status=404, body={"message": "no Route matched with those values"}))
    result = await client.call_tool(f"mistral_{tool}", arguments)

    assert result.is_error
    assert sentence in text_of(result)
    assert result.meta["mistral-mcp/error"] == {"status": 404}


async def test_a_refusal_without_a_reason_of_its_own_means_the_same(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=403, body={"detail": "Forbidden"}))
    forbidden = await client.call_tool("mistral_get_fine_tuning_job", {"job_id": ID})
    assert text_of(forbidden).startswith("Mistral does not offer fine-tuning jobs to this account.")

    plan = {"message": "No", "type": "tier_not_allowed", "code": "1910", "object": "error"}
    sandbox.faults.append(Fault(status=403, body=plan))
    other = await client.call_tool("mistral_list_fine_tuning_jobs", {})
    assert "plan" in text_of(other)


async def test_a_base_model_cannot_be_deleted(client: Client) -> None:
    result = await client.call_tool("mistral_delete_fine_tuned_model", {"model": "mistral-small-latest"})

    assert result.is_error
    assert "base model" in text_of(result)


async def test_what_may_have_been_created_is_not_repeated(client: Client, sandbox: Sandbox, training: str) -> None:
    before = len(sandbox.requests)
    sandbox.faults.append(Fault(status=502))
    asked = {"model": "open-mistral-nemo", "training_files": [training]}
    result = await client.call_tool("mistral_create_fine_tuning_job", asked)

    assert "check before retrying" in text_of(result)
    assert len(sandbox.requests) == before + 1


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("create_fine_tuning_job", {"model": "m"}, "training_files is missing"),
        ("create_fine_tuning_job", {"model": "m", "training_files": []}, "training_files is empty"),
        (
            "create_fine_tuning_job",
            {"model": "m", "training_files": [ID], "suffix": "x" * 19},
            "suffix is longer than",
        ),
        (
            "create_fine_tuning_job",
            {"model": "m", "training_files": [ID], "job_type": "x"},
            "must be completion or",
        ),
        (
            "create_fine_tuning_job",
            {"model": "m", "training_files": [ID], "classifier_targets": [{"name": "mood"}]},
            "classifier_targets[0].labels is missing",
        ),
        ("get_fine_tuning_job", {"job_id": "../models"}, "job_id is not a valid id"),
        ("start_fine_tuning_job", {"job_id": "a/b"}, "job_id is not a valid id"),
        ("cancel_fine_tuning_job", {}, "job_id is missing"),
        ("update_fine_tuned_model", {"model": "ft:m:x"}, "There is nothing to change"),
        ("archive_fine_tuned_model", {"model": ".."}, "model_id is not a valid id"),
        ("delete_fine_tuned_model", {"model": "x?y"}, "model_id is not a valid id"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, f"mistral_{tool}", arguments, sentence)
