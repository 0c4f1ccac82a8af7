"""Fine-tuning jobs, which Mistral has deprecated and offers to few, and the models they made.

Source: `/v1/fine_tuning/…`, in an older OpenAPI file only.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from mistral_mcp.errors import NotAllowed, NotFound
from mistral_mcp.mistral.call import Call, Reply


class Event(Reply):
    name: str
    data: dict[str, JsonValue] | None = None
    created_at: int | None = None


class Checkpoint(Reply):
    step_number: int | None = None
    metrics: dict[str, JsonValue] = {}


class JobReply(Reply):
    id: str
    status: str
    model: str = ""
    fine_tuned_model: str | None = None
    job_type: str | None = None
    suffix: str | None = None
    auto_start: bool | None = None
    created_at: int | None = None
    modified_at: int | None = None
    training_files: list[str] = []
    validation_files: list[str] | None = None
    trained_tokens: int | None = None
    hyperparameters: dict[str, JsonValue] = {}
    events: list[Event] = []
    checkpoints: list[Checkpoint] = []


class JobList(Reply):
    data: list[JobReply] = []
    total: int = 0


class Estimate(Reply):
    expected_duration_seconds: int | None = None
    cost: float | None = None
    cost_currency: str | None = None
    train_tokens: int | None = None
    data_tokens: int | None = None
    training_steps: int | None = None
    epochs: float | None = None
    details: str | None = None


class EstimateReply(Estimate):
    object: Literal["job.metadata"]


class TunedModelReply(Reply):
    id: str
    name: str | None = None
    description: str | None = None
    root: str | None = None
    archived: bool | None = None


class DeletedReply(Reply):
    id: str
    deleted: bool = True


class ClassifierTarget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    labels: list[str]
    weight: float | None = None
    loss_function: Literal["single_class", "multi_class"] | None = None


class ListJobsCall(Call[JobList]):
    path = "/v1/fine_tuning/jobs"
    method = "GET"
    repeatable = True

    page: int
    page_size: int
    status: str | None = None


class GetJobCall(Call[JobReply]):
    path = "/v1/fine_tuning/jobs/{job_id}"
    method = "GET"
    repeatable = True

    job_id: str


class CreateJobCall(Call[EstimateReply | JobReply]):
    path = "/v1/fine_tuning/jobs"
    in_query = frozenset({"dry_run"})

    model: str
    training_files: list[dict[str, JsonValue]]
    hyperparameters: dict[str, JsonValue]
    auto_start: bool
    validation_files: list[str] | None = None
    suffix: str | None = None
    job_type: Literal["completion", "classifier"] | None = None
    classifier_targets: list[ClassifierTarget] | None = None
    dry_run: bool | None = None


class _Act(Call[JobReply]):
    job_id: str

    def body(self) -> None:
        """There is none."""


class StartJobCall(_Act):
    path = "/v1/fine_tuning/jobs/{job_id}/start"


class CancelJobCall(_Act):
    path = "/v1/fine_tuning/jobs/{job_id}/cancel"


class UpdateModelCall(Call[TunedModelReply]):
    path = "/v1/fine_tuning/models/{model_id}"
    method = "PATCH"

    model_id: str
    name: str | None = None
    description: str | None = None


class ArchiveModelCall(Call[TunedModelReply]):
    path = "/v1/fine_tuning/models/{model_id}/archive"

    model_id: str

    def body(self) -> None:
        """There is none."""


class UnarchiveModelCall(Call[TunedModelReply]):
    path = "/v1/fine_tuning/models/{model_id}/archive"
    method = "DELETE"

    model_id: str


class DeleteModelCall(Call[DeletedReply]):
    path = "/v1/models/{model_id}"
    method = "DELETE"

    model_id: str


@contextmanager
def offered(*, job: bool = False) -> Generator[None]:
    """Say it plainly where Mistral does not offer jobs. `job`: an id was named, which may also be unknown."""
    try:
        yield
    except (NotFound, NotAllowed) as error:
        if error.code is not None:
            raise
        what = "Fine-tuning is not offered to this account any more."
        advice = "Mistral has deprecated it: use a base model, or an agent with instructions and examples."
        if job and isinstance(error, NotFound):
            what = "There is no such job, or fine-tuning is not offered to this account any more."
            advice = "mistral_list_fine_tuning_jobs tells which."
        raise NotAllowed(
            what,
            advice,
            status=error.status,
            correlation_id=error.correlation_id,
            attempts=error.attempts,
        ) from None
