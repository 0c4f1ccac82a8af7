"""Fine-tuning jobs, which Mistral has retired (410 since August 2026), and the models they made.

Source: `/v1/fine_tuning/…`; the jobs in an older OpenAPI file only.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from mistral_mcp.errors import NotAllowed, NotFound
from mistral_mcp.mistral.call import Call, Maybe, Moment, Reply


class Event(Reply):
    name: str
    data: Maybe[dict[str, JsonValue]] = None
    created_at: Maybe[Moment] = None


class Checkpoint(Reply):
    step_number: Maybe[int] = None
    metrics: dict[str, JsonValue] = {}


class JobReply(Reply):
    id: str
    status: str
    model: str = ""
    fine_tuned_model: Maybe[str] = Field(default=None, description="once it is ready")
    job_type: Maybe[str] = None
    suffix: Maybe[str] = None
    auto_start: Maybe[bool] = None
    created_at: Maybe[Moment] = None
    modified_at: Maybe[Moment] = None
    trained_tokens: Maybe[int] = None


class FullJobReply(JobReply):
    training_files: list[str] = []
    validation_files: Maybe[list[str]] = None
    hyperparameters: dict[str, JsonValue] = {}
    events: list[Event] = []
    checkpoints: list[Checkpoint] = []


class JobList(Reply):
    data: list[JobReply] = []
    total: int = 0


class Estimate(Reply):
    expected_duration_seconds: Maybe[int] = None
    cost: Maybe[float] = None
    cost_currency: Maybe[str] = None
    train_tokens: Maybe[int] = None
    data_tokens: Maybe[int] = None
    training_steps: Maybe[int] = None
    epochs: Maybe[float] = None
    details: Maybe[str] = None


class EstimateReply(Estimate):
    object: Literal["job.metadata"]


class TunedModelReply(Reply):
    id: str
    name: Maybe[str] = None
    description: Maybe[str] = None
    archived: Maybe[bool] = None


class DeletedReply(Reply):
    id: str
    deleted: bool = True


class ClassifierTarget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=256)]
    labels: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=1_000)]
    weight: float | None = None
    loss_function: Literal["single_class", "multi_class"] | None = None


class ListJobsCall(Call[JobList]):
    path = "/v1/fine_tuning/jobs"
    method = "GET"
    repeatable = True

    page: int
    page_size: int
    status: str | None = None


class GetJobCall(Call[FullJobReply]):
    path = "/v1/fine_tuning/jobs/{job_id}"
    method = "GET"
    repeatable = True

    job_id: str


class CreateJobCall(Call[EstimateReply | FullJobReply]):
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


class _Act(Call[FullJobReply]):
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
def explain_refusal(*, named_job: bool = False) -> Generator[None]:
    """Say it plainly where Mistral refuses jobs. `named_job`: an id was given, which may also be unknown."""
    try:
        yield
    except (NotFound, NotAllowed) as error:
        if error.code is not None:
            raise
        what = "Mistral does not offer fine-tuning jobs to this account."
        advice = "They are retired: use a base model, or an agent with instructions and examples."
        if named_job and isinstance(error, NotFound):
            what = "There is no such job, or Mistral does not offer fine-tuning jobs to this account."
            advice = "mistral_list_fine_tuning_jobs shows which there are."
        raise NotAllowed(
            what,
            advice,
            status=error.status,
            correlation_id=error.correlation_id,
            attempts=error.attempts,
        ) from None
