"""Batch jobs: valid and rejected requests, progress, and results."""

import json

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from mistral_mcp.sandbox import Sandbox

MODEL = "mistral-small-latest"
NOT_THERE = "00000000-0000-0000-0000-000000000000"


def body(text: str = "Hello", **fields: object) -> dict:
    return {"messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture
def create(api: httpx2.AsyncClient):
    async def ask(*bodies: dict, **fields: object) -> dict:
        requests = [{"custom_id": str(number), "body": each} for number, each in enumerate(bodies)]
        job = {"endpoint": "/v1/chat/completions", "model": MODEL, "requests": requests, **fields}
        reply = await api.post("/v1/batch/jobs", json=job)
        assert reply.status_code == 200, reply.text
        return reply.json()

    return ask


@pytest.fixture
def ask_for_error(api: httpx2.AsyncClient):
    async def ask(**fields: object) -> tuple[int, object]:
        job = {"endpoint": "/v1/chat/completions", "requests": [{"body": body()}], **fields}
        reply = await api.post("/v1/batch/jobs", json={name: value for name, value in job.items() if value != "-"})
        return reply.status_code, reply.json()["detail"]

    return ask


async def test_a_job_goes_from_the_queue_to_its_end_as_it_is_looked_at(sdk: Mistral):
    lines = "".join(json.dumps({"custom_id": str(n), "body": body(f"Say {n}")}) + "\n" for n in range(4)).encode()
    file = await sdk.files.upload_async(file={"file_name": "in.jsonl", "content": lines}, purpose="batch")
    job = await sdk.batch.jobs.create_async(
        endpoint="/v1/chat/completions", input_files=[file.id], model=MODEL, metadata={"team": "red"}
    )
    seen = [job, *[await sdk.batch.jobs.get_async(job_id=job.id) for _ in range(3)]]
    assert [each.status for each in seen] == ["QUEUED", "RUNNING", "SUCCESS", "SUCCESS"]
    assert [(each.total_requests, each.completed_requests) for each in seen] == [(0, 0), (4, 2), (4, 4), (4, 4)]
    assert (seen[-1].outputs, seen[-1].error_file) == (None, None)
    output = await sdk.files.download_async(file_id=seen[-1].output_file)
    rows = [json.loads(line) for line in (await output.aread()).splitlines()]
    assert [row["custom_id"] for row in rows] == ["0", "1", "2", "3"]
    assert '"Say 3"' in rows[3]["response"]["body"]["choices"][0]["message"]["content"]
    assert [file.sample_type for file in (await sdk.files.list_async(source=["mistral"])).data] == ["batch_result"]


async def test_results_can_be_requested_with_the_job(sdk: Mistral, create):
    job = await create(body())
    await sdk.batch.jobs.get_async(job_id=job["id"])
    done = await sdk.batch.jobs.get_async(job_id=job["id"], inline=True)
    assert done.outputs[0]["response"]["status_code"] == 200
    again = await sdk.batch.jobs.get_async(job_id=job["id"])
    assert again.outputs == done.outputs, "of inline requests they come even without asking"
    assert len(again.input_files) == 1


async def test_a_line_that_fails_goes_into_the_error_file_as_a_string(sdk: Mistral, create):
    job = await create(body(), body(temperature=9), body(messages=[]))
    await sdk.batch.jobs.get_async(job_id=job["id"])
    done = await sdk.batch.jobs.get_async(job_id=job["id"])
    assert done.status == "SUCCESS"
    assert (done.completed_requests, done.succeeded_requests, done.failed_requests) == (3, 1, 2)
    assert sum(error.count for error in done.errors) == 2
    content = await (await sdk.files.download_async(file_id=done.error_file)).aread()
    rows = [json.loads(line) for line in content.splitlines()]
    assert [(row["custom_id"], row["response"]["status_code"]) for row in rows] == [("1", 422), ("2", 400)]
    assert json.loads(rows[1]["response"]["body"])["code"] == "3230"


async def test_the_model_of_the_job_goes_before_that_of_the_line(sdk: Mistral, create):
    job = await create(body(model="nothing", stream=True))
    await sdk.batch.jobs.get_async(job_id=job["id"])
    done = await sdk.batch.jobs.get_async(job_id=job["id"])
    assert done.outputs[0]["response"]["body"]["model"] == MODEL


@pytest.mark.parametrize(
    ("endpoint", "model", "line"),
    [
        ("/v1/embeddings", "mistral-embed", {"input": ["a"]}),
        ("/v1/fim/completions", "codestral-latest", {"prompt": "def f():"}),
        ("/v1/moderations", "mistral-moderation-latest", {"input": ["a"]}),
        ("/v1/chat/moderations", "mistral-moderation-latest", {"input": body()["messages"]}),
        ("/v1/classifications", "ft:classifier:a:b", {"input": "a"}),
        ("/v1/chat/classifications", "ft:classifier:a:b", {"input": body()}),
        (
            "/v1/ocr",
            "mistral-ocr-latest",
            {"document": {"type": "document_url", "document_url": "https://a.b/c.pdf"}},
        ),
        ("/v1/conversations", MODEL, {"inputs": "Hello"}),
        ("/v1/audio/transcriptions", "voxtral-mini-latest", {"file_url": "https://example.com/a.mp3"}),
    ],
)
async def test_every_endpoint_of_a_batch_answers(endpoint: str, model: str, line: dict, sdk: Mistral, create):
    job = await create(line, endpoint=endpoint, model=model)
    await sdk.batch.jobs.get_async(job_id=job["id"])
    done = await sdk.batch.jobs.get_async(job_id=job["id"])
    assert (done.succeeded_requests, done.errors) == (1, [])


async def test_an_agent_can_be_the_one_who_answers(sdk: Mistral, create):
    job = await create(body(), model=None, agent_id="ag_1")
    await sdk.batch.jobs.get_async(job_id=job["id"])
    assert (await sdk.batch.jobs.get_async(job_id=job["id"])).succeeded_requests == 1


async def test_a_cancelled_job_keeps_what_it_has_done(sdk: Mistral, create):
    job = await create(body(), body())
    await sdk.batch.jobs.get_async(job_id=job["id"])
    asked = await sdk.batch.jobs.cancel_async(job_id=job["id"])
    ended = await sdk.batch.jobs.get_async(job_id=job["id"])
    assert (asked.status, ended.status) == ("CANCELLATION_REQUESTED", "CANCELLED")
    assert len(ended.outputs) == 1
    assert (await sdk.batch.jobs.cancel_async(job_id=job["id"])).status == "CANCELLED"


async def test_jobs_are_listed_filtered_and_deleted(sdk: Mistral, api: httpx2.AsyncClient, create):
    jobs = [await create(body(), metadata={"n": str(number)}) for number in range(3)]
    await sdk.batch.jobs.get_async(job_id=jobs[0]["id"])
    listed = await sdk.batch.jobs.list_async(page_size=2)
    assert ([job.id for job in listed.data], listed.total) == ([jobs[2]["id"], jobs[1]["id"]], 3)
    assert [job.id for job in (await sdk.batch.jobs.list_async(status=["RUNNING"])).data] == [jobs[0]["id"]]
    assert (await sdk.batch.jobs.list_async(order_by="created")).data[0].id == jobs[0]["id"]
    assert (await sdk.batch.jobs.list_async(model="codestral-latest")).total == 0
    assert (await api.get("/v1/batch/jobs", params={"metadata": '{"n":"1"}'})).json()["total"] == 1
    assert [job.id for job in (await sdk.batch.jobs.list_async(metadata={"n": "1"})).data] == [jobs[1]["id"]]
    assert (await api.get("/v1/batch/jobs", params={"metadata": "nonsense"})).status_code == 422
    assert (await sdk.batch.jobs.delete_async(job_id=jobs[0]["id"])).deleted
    with pytest.raises(SDKError, match="404"):
        await sdk.batch.jobs.get_async(job_id=jobs[0]["id"])


async def test_other_keys_see_nothing_of_it(stranger: Mistral, create):
    job = await create(body())
    assert (await stranger.batch.jobs.list_async()).total == 0
    with pytest.raises(SDKError, match="404"):
        await stranger.batch.jobs.get_async(job_id=job["id"])


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"requests": "-"}, "value_error"),
        ({"input_files": [NOT_THERE]}, "value_error"),
        ({"endpoint": "/v1/responses"}, "literal_error"),
        ({"timeout_hours": 0}, "greater_than_equal"),
        ({"timeout_hours": 169}, "less_than_equal"),
        ({"input_files": ["x"], "requests": "-"}, "uuid_parsing"),
        ({"metadata": {"a": "x" * 513}}, "string_too_long"),
        ({"metadata": {"a": 1}}, "string_type"),
        ({"requests": [{"body": {}}] * 10_001}, "too_long"),
        ({"requests": [{"body": {}, "url": "x"}]}, "extra_forbidden"),
        ({"webhook": "x"}, "extra_forbidden"),
    ],
)
async def test_what_does_not_fit_is_422_in_the_plain_shape(fields: dict, kind: str, ask_for_error):
    status, detail = await ask_for_error(**fields)
    assert (status, detail[0]["type"]) == (422, kind)


async def test_files_models_and_agents_have_to_be_there(ask_for_error):
    assert await ask_for_error(input_files=[NOT_THERE], requests="-") == (404, "Not Found")
    assert await ask_for_error(model="nothing") == (422, "You do not have access to the model")


async def test_lines_do_not_count_against_the_limits_of_a_minute(sdk: Mistral, create):
    job = await create(*[body() for _ in range(10)])
    await sdk.batch.jobs.get_async(job_id=job["id"])
    assert (await sdk.batch.jobs.get_async(job_id=job["id"])).succeeded_requests == 10


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(requests_per_minute=1)


async def test_rows_can_be_odd(api: httpx2.AsyncClient, create):
    job = await create(body(), body(), model="sandbox-odd-rows")
    for _ in range(2):
        seen = (await api.get(f"/v1/batch/jobs/{job['id']}")).json()
    first, _, lost = seen["outputs"]
    assert (seen["status"], seen["total_requests"]) == ("SUCCESS", 0)
    assert json.loads(first["response"]["body"])["object"] == "chat.completion"
    assert (lost["response"], lost["error"]) == (None, {"message": "The row was lost."})
