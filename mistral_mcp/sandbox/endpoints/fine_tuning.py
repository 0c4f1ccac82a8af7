"""`/v1/fine_tuning/jobs`, which Mistral has retired."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from mistral_mcp.sandbox.endpoints.classifiers import TARGETS
from mistral_mcp.sandbox.protocol.endpoint import Account, Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import detail_error, invalid_fields, invalid_value
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Lax, Paging, Strict
from mistral_mcp.sandbox.protocol.tokens import CHARACTERS_PER_TOKEN
from mistral_mcp.sandbox.state.files import Files
from mistral_mcp.sandbox.state.fine_tuned_models import find_model
from mistral_mcp.sandbox.state.fine_tuning_jobs import Status, TuningJob, TuningJobs

DEFAULT_STEPS = 100
MIN_COST = 4.0
DOLLARS_PER_TOKEN = 1e-6

Share = Annotated[float, Field(ge=0, le=1)]


class Hyperparameters(Strict):
    training_steps: Annotated[int, Field(ge=1)] | None = None
    learning_rate: Annotated[float, Field(ge=1e-8, le=1)] = 1e-4
    weight_decay: Share | None = 0.1
    warmup_fraction: Share | None = 0.05
    epochs: Annotated[float, Field(gt=0)] | None = None
    seq_len: Annotated[int, Field(ge=100)] | None = None
    fim_ratio: Share | None = None


class TrainingFile(Strict):
    file_id: uuid.UUID
    weight: Annotated[float, Field(gt=0)] = 1.0


class Wandb(Strict):
    type: Literal["wandb"] = "wandb"
    project: str
    name: str | None = None
    api_key: Annotated[str, Field(min_length=40, max_length=40)]
    run_name: str | None = None


class Repository(Strict):
    type: Literal["github"] = "github"
    name: str
    owner: str
    ref: str | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    token: str


class ClassifierTarget(Strict):
    name: str
    labels: list[str]
    weight: Annotated[float, Field(ge=0)] = 1.0
    loss_function: Literal["single_class", "multi_class"] | None = None


class NewJob(Strict):
    model: str
    hyperparameters: Hyperparameters
    training_files: list[TrainingFile] = []
    validation_files: list[uuid.UUID] | None = None
    suffix: Annotated[str, Field(max_length=18)] | None = None
    integrations: list[Wandb] | None = None
    auto_start: bool = True
    invalid_sample_skip_percentage: Annotated[float, Field(ge=0, le=0.5)] = 0
    job_type: Literal["completion", "classifier"] | None = None
    repositories: list[Repository] | None = None
    classifier_targets: list[ClassifierTarget] | None = None


class DryRunOption(Lax):
    dry_run: bool | None = None


class JobFilter(Paging):
    model: str | None = None
    created_after: AwareDatetime | datetime | None = None
    created_before: AwareDatetime | datetime | None = None
    created_by_me: bool = False
    status: Status | None = None
    wandb_project: str | None = None
    wandb_name: str | None = None
    suffix: str | None = None

    def admit(self, job: TuningJob) -> bool:
        """Whether the job matches."""
        runs = job.integrations or []
        return (
            self.model in (None, job.name)
            and self.status in (None, job.status)
            and self.suffix in (None, job.suffix)
            and (self.created_after is None or job.created_at > self.created_after.timestamp())
            and (self.created_before is None or job.created_at < self.created_before.timestamp())
            and (self.wandb_project is None or self.wandb_project in [run["project"] for run in runs])
            and (self.wandb_name is None or self.wandb_name in [run["run_name"] for run in runs])
        )


def create(call: Call) -> Reply:
    """Queue a job; with `dry_run` only estimate its cost and duration."""
    body = call.body(NewJob, invalid_fields)
    base = find_model(call.account, body.model)
    if base is None or not base.can("fine_tuning"):
        raise detail_error(422, f"Model {body.model} is not available for fine-tuning.")
    if not body.training_files and not body.repositories:
        raise invalid_value("training_files must not be empty", "body", "training_files")

    training = [str(file.file_id) for file in body.training_files]
    validation = [str(name) for name in body.validation_files or []]
    estimate = _estimate(call.account, body, [*training, *validation])
    if call.query(DryRunOption).dry_run:
        legacy = {"deprecated": True, "details": "This is a dry run of the sandbox.", "object": "job.metadata"}
        return json_reply({**estimate, **legacy})

    job_type = body.job_type or "completion"
    if body.job_type is None and body.classifier_targets:
        job_type = "classifier"
    hyperparameters = body.hyperparameters.model_dump()
    targets: Sequence[Mapping[str, Any]] = ()
    if job_type == "classifier":
        del hyperparameters["fim_ratio"]
        targets = [target.model_dump() for target in body.classifier_targets or []] or TARGETS

    job = TuningJob(
        id=call.account.new_id("fine-tuning"),
        name=body.model,
        base=base,
        job_type=job_type,
        auto_start=body.auto_start,
        hyperparameters=hyperparameters,
        training_files=training,
        validation_files=validation,
        estimate=estimate,
        suffix=body.suffix,
        integrations=[run.model_dump(exclude={"api_key"}) for run in body.integrations or []] or None,
        repositories=[source.model_dump(exclude={"token"}) for source in body.repositories or []],
        targets=targets,
    )
    return json_reply(call.account.section(TuningJobs).put(job.id, job).card())


def list_jobs(call: Call) -> Reply:
    """Newest first. Listing jobs does not advance them."""
    query = call.query(JobFilter)
    found = [job for job in call.account.section(TuningJobs).newest_first() if query.admit(job)]
    return json_reply(
        {
            "data": [job.card() for job in query.cut(found)],
            "object": "list",
            "total": len(found),
        }
    )


def get_job(call: Call) -> Reply:
    """The job, after advancing it by one step."""
    job = _job(call)
    job.advance(call.account)
    return json_reply(job.details())


def cancel(call: Call) -> Reply:
    job = _job(call)
    job.cancel()
    return json_reply(job.details())


def start(call: Call) -> Reply:
    job = _job(call)
    job.start()
    return json_reply(job.details())


def _job(call: Call) -> TuningJob:
    return call.account.section(TuningJobs).get(call.uuid("job_id"))


def _estimate(account: Account, body: NewJob, names: list[str]) -> dict[str, Any]:
    """The job's metadata: its estimated duration, cost and tokens. 404 or 422 if a file is missing or for another purpose."""
    files = [account.section(Files).get(name) for name in names]
    for file in files:
        if file.purpose != "fine-tune":
            raise detail_error(422, f"File {file.id} has purpose {file.purpose}, but fine-tune is needed.")
    data = sum(len(file.data) for file in files) // CHARACTERS_PER_TOKEN
    steps = body.hyperparameters.training_steps or DEFAULT_STEPS
    epochs = body.hyperparameters.epochs or 1.0
    tokens = round(data * epochs)
    return {
        "expected_duration_seconds": 10 * steps,
        "cost": max(MIN_COST, round(tokens * DOLLARS_PER_TOKEN, 2)),
        "cost_currency": "USD",
        "train_tokens_per_step": tokens // steps,
        "train_tokens": tokens,
        "data_tokens": data,
        "estimated_start_time": None,
        "epochs": epochs,
        "training_steps": steps,
    }


ENDPOINTS = (
    Endpoint("GET", "/v1/fine_tuning/jobs", list_jobs),
    Endpoint("POST", "/v1/fine_tuning/jobs", create),
    Endpoint("GET", "/v1/fine_tuning/jobs/{job_id}", get_job),
    Endpoint("POST", "/v1/fine_tuning/jobs/{job_id}/cancel", cancel),
    Endpoint("POST", "/v1/fine_tuning/jobs/{job_id}/start", start),
)
