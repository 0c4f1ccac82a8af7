"""Fine-tuning jobs, which the official SDK has dropped, and the models they create."""

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from mistral_mcp.sandbox import Sandbox

JOBS = "/v1/fine_tuning/jobs"
BASE = "ministral-3b-latest"
LINES = b'{"messages":[{"role":"user","content":"Hi"}]}\n' * 100


@pytest.fixture
def sandbox() -> Sandbox:
    """Mistral as it was when it still had these jobs."""
    return Sandbox(fine_tuning=True)


@pytest.fixture
async def training(sdk: Mistral) -> str:
    file = {"file_name": "train.jsonl", "content": LINES}
    return (await sdk.files.upload_async(file=file, purpose="fine-tune")).id


@pytest.fixture
def create(api: httpx2.AsyncClient, training: str):
    async def ask(query: str = "", **fields: object) -> httpx2.Response:
        job = {"model": BASE, "training_files": [{"file_id": training}], "hyperparameters": {}, **fields}
        return await api.post(f"{JOBS}{query}", json=job)

    return ask


@pytest.fixture
def train(api: httpx2.AsyncClient, create):
    async def wait(**fields: object) -> dict:
        job = (await create(**fields)).json()
        await api.get(f"{JOBS}/{job['id']}")
        return (await api.get(f"{JOBS}/{job['id']}")).json()

    return wait


async def test_a_job_advances_when_it_is_looked_up_and_creates_a_model(
    api: httpx2.AsyncClient, sdk: Mistral, create
):
    job = (await create(suffix="mine")).json()
    seen = [job, *[(await api.get(f"{JOBS}/{job['id']}")).json() for _ in range(3)]]
    assert [each["status"] for each in seen] == ["QUEUED", "RUNNING", "SUCCESS", "SUCCESS"]
    name = seen[-1]["fine_tuned_model"]
    assert name.startswith(f"ft:{BASE}:mine:")
    assert [event["data"]["status"] for event in seen[-1]["events"]] == ["SUCCESS", "RUNNING"]
    assert seen[-1]["checkpoints"][0]["step_number"] == 100
    card = await sdk.models.retrieve_async(model_id=name)
    assert (card.type, card.root, card.job) == ("fine-tuned", BASE, job["id"])
    assert name in [card.id for card in (await sdk.models.list_async()).data]
    reply = await sdk.chat.complete_async(model=name, messages=[{"role": "user", "content": "Hi"}])
    assert reply.model == name


async def test_a_dry_run_tells_what_it_would_take(api: httpx2.AsyncClient, create):
    estimate = (await create("?dry_run=true", hyperparameters={"training_steps": 10})).json()
    assert (estimate["object"], estimate["training_steps"], estimate["cost"]) == ("job.metadata", 10, 4.0)
    assert (await api.get(JOBS)).json() == {"data": [], "object": "list", "total": 0}


async def test_a_job_that_does_not_start_by_itself_waits(api: httpx2.AsyncClient, create):
    path = f"{JOBS}/{(await create(auto_start=False)).json()['id']}"
    assert [(await api.get(path)).json()["status"] for _ in range(2)] == ["VALIDATED", "VALIDATED"]
    assert (await api.post(f"{path}/start")).json()["status"] == "STARTED"
    assert [(await api.get(path)).json()["status"] for _ in range(2)] == ["RUNNING", "SUCCESS"]


async def test_a_job_is_cancelled_by_post(api: httpx2.AsyncClient, create):
    path = f"{JOBS}/{(await create()).json()['id']}"
    assert (await api.delete(path)).status_code == 405
    assert (await api.post(f"{path}/cancel")).json()["status"] == "CANCELLATION_REQUESTED"
    ended = (await api.get(path)).json()
    assert (ended["status"], ended["fine_tuned_model"]) == ("CANCELLED", None)


async def test_a_classifier_scores_its_own_labels(sdk: Mistral, train):
    job = await train(classifier_targets=[{"name": "topic", "labels": ["sport", "law"]}])
    assert job["job_type"] == "classifier"
    name = job["fine_tuned_model"]
    reply = await sdk.classifiers.classify_async(model=name, inputs="All about sport")
    scores = reply.results[0]["topic"].scores
    assert scores["sport"] > scores["law"]
    with pytest.raises(SDKError, match="Invalid model"):
        await sdk.chat.complete_async(model=name, messages=[{"role": "user", "content": "Hi"}])


async def test_jobs_are_listed_and_filtered(api: httpx2.AsyncClient, create):
    await create(suffix="one")
    await create(suffix="two", model="ministral-8b-latest")
    for filters, number in (
        ({}, 2),
        ({"suffix": "one"}, 1),
        ({"model": "ministral-8b-latest"}, 1),
        ({"status": "RUNNING"}, 0),
        ({"created_after": "2020-01-01T00:00:00Z"}, 2),
        ({"created_before": "2020-01-01T00:00:00Z"}, 0),
        ({"wandb_project": "x"}, 0),
    ):
        assert (await api.get(JOBS, params=filters)).json()["total"] == number, filters


async def test_secrets_of_integrations_are_not_repeated(create):
    wandb = {"type": "wandb", "project": "p", "api_key": "k" * 40}
    reply = await create(integrations=[wandb])
    assert reply.json()["integrations"] == [{"type": "wandb", "project": "p", "name": None, "run_name": None}]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "mistral-large-latest"}, 422),
        ({"training_files": []}, 422),
        ({"training_files": [{"file_id": "00000000-0000-0000-0000-000000000000"}]}, 404),
        ({"suffix": "x" * 19}, 422),
        ({"hyperparameters": {"learning_rate": 2}}, 422),
        ({"hyperparameters": None}, 422),
        ({"invalid_sample_skip_percentage": 0.6}, 422),
        ({"integrations": [{"project": "p", "api_key": "short"}]}, 422),
    ],
)
async def test_what_does_not_fit_is_refused(fields: dict, status: int, create):
    assert (await create(**fields)).status_code == status


async def test_a_model_can_be_named_archived_and_deleted(sdk: Mistral, train):
    name = (await train())["fine_tuned_model"]
    asked = {"model": name, "messages": [{"role": "user", "content": "Hi"}]}
    assert (await sdk.models.update_async(model_id=name, name="Mine")).name == "Mine"
    assert (await sdk.models.archive_async(model_id=name)).archived
    with pytest.raises(SDKError, match="Invalid model"):
        await sdk.chat.complete_async(**asked)
    assert not (await sdk.models.unarchive_async(model_id=name)).archived
    assert (await sdk.chat.complete_async(**asked)).model == name
    assert (await sdk.models.delete_async(model_id=name)).deleted
    with pytest.raises(SDKError, match=r"404.*was not found"):
        await sdk.models.retrieve_async(model_id=name)


async def test_base_models_cannot_be_deleted_or_changed(sdk: Mistral):
    with pytest.raises(SDKError, match="403"):
        await sdk.models.delete_async(model_id="mistral-small-latest")
    for ask in (sdk.models.delete_async, sdk.models.archive_async, sdk.models.update_async):
        with pytest.raises(SDKError, match="404"):
            await ask(model_id="ft:nothing")


async def test_other_keys_see_nothing_of_it(stranger: Mistral, train):
    name = (await train())["fine_tuned_model"]
    with pytest.raises(SDKError, match="404"):
        await stranger.models.retrieve_async(model_id=name)


async def test_jobs_are_gone_unless_they_are_switched_on():
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=Sandbox()),
        base_url="http://sandbox",
        headers={"authorization": "Bearer good-key"},
    ) as api:
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", "/x"),
            ("POST", "/x/start"),
            ("POST", "/x/cancel"),
        ):
            reply = await api.request(method, f"{JOBS}{path}")
            assert (reply.status_code, reply.json()) == (410, {"detail": "Gone"})
        assert (await api.post("/v1/fine_tuning/models/x/archive")).json()["message"] == "Model x was not found."
