"""Toolset `fine_tuning`: deprecated by Mistral, whose jobs few accounts may still start."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue, WithJsonSchema

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import fine_tuning as wire
from mistral_mcp.mistral.api.fine_tuning import EstimateReply, JobReply, TunedModelReply
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.paging import Page, PageSize, format_time, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()

_SHOWN = 20  # events, and checkpoints: the newest

JobId = Annotated[str, Field(description="As listed.")]
TunedModel = Annotated[str, Field(description="ft:….", min_length=1)]


class Job(BaseModel):
    """A fine-tuning job."""

    id: str
    status: str
    model: str
    fine_tuned_model: Maybe[str] = Field(default=None, description="Once it is made.")
    job_type: Maybe[str] = None
    suffix: Maybe[str] = None
    auto_start: Maybe[bool] = None
    created_at: Maybe[int] = Field(default=None, description="Seconds since 1970.")
    trained_tokens: Maybe[int] = None

    def line(self) -> str:
        made = f" -> {self.fine_tuned_model}" if self.fine_tuned_model else ""
        return f"{self.id}  {self.status}  {self.model}{made}, {format_time(self.created_at)}"


class Jobs(Result):
    """One page of jobs."""

    jobs: list[Job]
    total: int
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text([job.line() for job in self.jobs], "There is no such job.", self.next_page, self.total)


class OneJob(Result, Job):
    """One job, full."""

    training_files: list[str]
    validation_files: Maybe[list[str]] = None
    hyperparameters: dict[str, JsonValue]
    events: Maybe[list[wire.Event]] = Field(default=None, description="Newest first.")
    checkpoints: Maybe[list[wire.Checkpoint]] = Field(default=None, description="Newest first.")

    def to_text(self) -> str:
        events = [
            f"{format_time(event.created_at)}  {event.name}  {event.data or ''}".rstrip() for event in self.events or ()
        ]
        return "\n".join([self.line(), *events])

    @classmethod
    def of(cls, reply: JobReply) -> "OneJob":
        events = sorted(reply.events, key=lambda event: event.created_at or 0, reverse=True)
        checkpoints = sorted(reply.checkpoints, key=lambda checkpoint: checkpoint.step_number or 0, reverse=True)
        newest = {"events": events[:_SHOWN] or None, "checkpoints": checkpoints[:_SHOWN] or None}
        return cls.model_validate(reply.model_dump() | newest)


class NewJob(Result):
    """The job, or with dry_run what it would take."""

    id: Maybe[str] = None
    status: Maybe[str] = None
    model: str
    estimate: Maybe[wire.Estimate] = None

    def to_text(self) -> str:
        if self.estimate is None:
            return f"{self.id}  {self.status}  {self.model}"
        facts = self.estimate.model_dump(exclude_none=True)
        return "\n".join(
            [f"Nothing was started. For {self.model}:", *(f"{name}: {fact}" for name, fact in facts.items())]
        )


class Tuned(Result):
    """A fine-tuned model."""

    id: str
    name: Maybe[str] = None
    description: Maybe[str] = None
    archived: Maybe[bool] = None

    def to_text(self) -> str:
        about = [self.name, self.description, "archived" if self.archived else None]
        return "  ".join(filter(None, [self.id, *about]))

    @classmethod
    def of(cls, reply: TunedModelReply) -> "Tuned":
        return cls(**reply.model_dump())


class Deleted(Result):
    id: str
    deleted: bool

    def to_text(self) -> str:
        return f"{self.id} is deleted." if self.deleted else f"{self.id} was not deleted."


_HYPERPARAMETERS = WithJsonSchema(
    {
        "type": "object",
        "properties": {
            "training_steps": {"type": "integer"},
            "epochs": {"type": "number"},
            "learning_rate": {"type": "number"},
        },
    }
)


@toolset.tool("List fine-tuning jobs", effect="reads")
async def mistral_list_fine_tuning_jobs(
    mistral: Mistral,
    page: Page = 0,
    page_size: PageSize = 20,
    status: Annotated[str | None, Field(description="Such as RUNNING.", pattern="^[A-Z_]+$")] = None,
) -> Jobs:
    """See the fine-tuning jobs (deprecated by Mistral)."""
    with wire.offered():
        reply = await mistral.send(wire.ListJobsCall(page=page, page_size=page_size, status=status))
    following = next_page(page, page_size, len(reply.data), reply.total)
    return Jobs(jobs=[Job(**job.model_dump()) for job in reply.data], total=reply.total, next_page=following)


@toolset.tool("Get a fine-tuning job", effect="reads")
async def mistral_get_fine_tuning_job(mistral: Mistral, job_id: JobId) -> OneJob:
    """Look a fine-tuning job up: status, events, checkpoints and the model it made."""
    with wire.offered(job=True):
        return OneJob.of(await mistral.send(wire.GetJobCall(job_id=job_id)))


@toolset.tool("Create a fine-tuning job", effect="creates")
async def mistral_create_fine_tuning_job(
    mistral: Mistral,
    model: Annotated[str, Field(description="Base model.", min_length=1)],
    training_files: Annotated[list[str], Field(description="File ids.", min_length=1)],
    hyperparameters: Annotated[
        dict[str, JsonValue] | None, _HYPERPARAMETERS, Field(description="Of the training.")
    ] = None,
    validation_files: Annotated[list[str] | None, Field(description="File ids.")] = None,
    suffix: Annotated[str | None, Field(description="Part of its name.", max_length=18)] = None,
    auto_start: Annotated[bool, Field(description="false: validate only, wait for start.")] = False,
    dry_run: Annotated[bool, Field(description="Only estimate cost and duration.")] = False,
    job_type: Annotated[Literal["completion", "classifier"] | None, Field(description="What to train.")] = None,
    classifier_targets: Annotated[
        list[wire.ClassifierTarget] | None, Field(description="What a classifier tells.")
    ] = None,
) -> NewJob:
    """Fine-tune a model on uploaded JSONL files (deprecated by Mistral; at least 4 USD a job)."""
    call = wire.CreateJobCall(
        model=model,
        training_files=[{"file_id": file_id, "weight": 1} for file_id in training_files],
        hyperparameters=hyperparameters or {},
        validation_files=validation_files,
        suffix=suffix,
        auto_start=auto_start,
        dry_run=dry_run or None,
        job_type=job_type,
        classifier_targets=classifier_targets,
    )
    with wire.offered():
        reply = await mistral.send(call)
    if isinstance(reply, EstimateReply):
        return NewJob(model=model, estimate=wire.Estimate.model_validate(reply.model_dump()))
    return NewJob(id=reply.id, status=reply.status, model=reply.model or model)


@toolset.tool("Start a fine-tuning job", effect="changes")
async def mistral_start_fine_tuning_job(mistral: Mistral, job_id: JobId) -> OneJob:
    """Start a validated fine-tuning job, which then costs money."""
    with wire.offered(job=True):
        return OneJob.of(await mistral.send(wire.StartJobCall(job_id=job_id)))


@toolset.tool("Cancel a fine-tuning job", effect="cancels")
async def mistral_cancel_fine_tuning_job(mistral: Mistral, job_id: JobId) -> OneJob:
    """Stop a fine-tuning job."""
    with wire.offered(job=True):
        return OneJob.of(await mistral.send(wire.CancelJobCall(job_id=job_id)))


@toolset.tool("Rename a fine-tuned model", effect="changes")
async def mistral_update_fine_tuned_model(
    mistral: Mistral,
    model: TunedModel,
    name: Annotated[str | None, Field(description="New name.")] = None,
    description: Annotated[str | None, Field(description="New description.")] = None,
) -> Tuned:
    """Change the name or description of a fine-tuned model."""
    if name is None and description is None:
        raise BadArgument("There is nothing to change.", "Give name or description.")
    return Tuned.of(await mistral.send(wire.UpdateModelCall(model_id=model, name=name, description=description)))


@toolset.tool("Archive a fine-tuned model", effect="changes")
async def mistral_archive_fine_tuned_model(mistral: Mistral, model: TunedModel) -> Tuned:
    """Put a fine-tuned model away: it cannot be called until it is taken out again."""
    return Tuned.of(await mistral.send(wire.ArchiveModelCall(model_id=model)))


@toolset.tool("Unarchive a fine-tuned model", effect="changes")
async def mistral_unarchive_fine_tuned_model(mistral: Mistral, model: TunedModel) -> Tuned:
    """Take an archived fine-tuned model out again."""
    return Tuned.of(await mistral.send(wire.UnarchiveModelCall(model_id=model)))


@toolset.tool("Delete a fine-tuned model", effect="deletes")
async def mistral_delete_fine_tuned_model(mistral: Mistral, model: TunedModel) -> Deleted:
    """Delete a fine-tuned model for good."""
    reply = await mistral.send(wire.DeleteModelCall(model_id=model))
    return Deleted(id=reply.id, deleted=reply.deleted)
