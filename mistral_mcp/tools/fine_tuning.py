"""Toolset `fine_tuning`: jobs, which Mistral has retired, and the models they made, which can still be managed."""

import json
from typing import Annotated, Literal

from pydantic import Field, JsonValue, WithJsonSchema

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import fine_tuning
from mistral_mcp.mistral.api.fine_tuning import (
    Checkpoint,
    Estimate,
    EstimateReply,
    Event,
    FullJobReply,
    JobReply,
    TunedModelReply,
    explain_refusal,
)
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.paging import Page, PageSize, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Deleted, Maybe, Result

toolset = Toolset()

NEWEST = 20  # events, and checkpoints

JobId = Annotated[str, Field(description="Job id.", min_length=1, max_length=100)]
TunedModel = Annotated[str, Field(description="Model id, ft:….", min_length=1, max_length=256)]
FileIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=100)]


def job_line(job: JobReply) -> str:
    """A job as a line of text."""
    if job.fine_tuned_model:
        made = f" -> {job.fine_tuned_model}"
    else:
        made = ""
    if job.created_at:
        created = f", created {job.created_at}"
    else:
        created = ""
    return f"{job.id}  {job.status}  {job.model}{made}{created}"


def event_line(event: Event) -> str:
    """An event of a job as a line of text."""
    if event.data:
        data = json.dumps(event.data, ensure_ascii=False)
    else:
        data = ""
    return f"{event.created_at or 'time unknown'}  {event.name}  {data}".rstrip()


class Jobs(Result):
    """One page of jobs."""

    jobs: list[JobReply]
    total: int
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text([job_line(job) for job in self.jobs], "No fine-tuning jobs.", self.next_page, self.total)


class Job(Result, FullJobReply):
    """A fine-tuning job."""

    events: list[Event] = Field(description="newest first")
    checkpoints: list[Checkpoint] = Field(description="newest first")

    def to_text(self) -> str:
        return "\n".join([job_line(self), *map(event_line, self.events)])

    @classmethod
    def of(cls, reply: FullJobReply) -> "Job":
        events = sorted(reply.events, key=lambda event: event.created_at or "", reverse=True)
        checkpoints = sorted(reply.checkpoints, key=lambda checkpoint: checkpoint.step_number or 0, reverse=True)
        return cls.from_reply(reply, events=events[:NEWEST], checkpoints=checkpoints[:NEWEST])


class NewJob(Result):
    """The new job, or with dry_run its estimate."""

    id: Maybe[str] = None
    status: Maybe[str] = None
    model: str
    estimate: Maybe[Estimate] = None

    def to_text(self) -> str:
        if self.estimate is None:
            return f"{self.id}  {self.status}  {self.model}"
        facts = [f"{name}: {fact}" for name, fact in self.estimate.model_dump().items()]
        return "\n".join([f"Nothing was started. Estimate for {self.model}:", *facts])


class Tuned(Result, TunedModelReply):
    """A fine-tuned model."""

    def to_text(self) -> str:
        about = [self.name, self.description, "archived" if self.archived else None]
        return "  ".join(filter(None, [self.id, *about]))


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
    status: Annotated[
        str | None, Field(description="Only jobs of this status, such as RUNNING.", pattern="^[A-Z_]{1,64}$")
    ] = None,
) -> Jobs:
    """List fine-tuning jobs. Mistral has retired them and answers 410."""
    with explain_refusal():
        reply = await mistral.send(fine_tuning.ListJobsCall(page=page, page_size=page_size, status=status))
    following = next_page(page, page_size, len(reply.data), reply.total)
    return Jobs(jobs=reply.data, total=reply.total, next_page=following)


@toolset.tool("Get a fine-tuning job", effect="reads")
async def mistral_get_fine_tuning_job(mistral: Mistral, job_id: JobId) -> Job:
    """Look up a fine-tuning job. Mistral has retired jobs and answers 410."""
    with explain_refusal(named_job=True):
        return Job.of(await mistral.send(fine_tuning.GetJobCall(job_id=job_id)))


@toolset.tool("Create a fine-tuning job", effect="creates")
async def mistral_create_fine_tuning_job(
    mistral: Mistral,
    model: Annotated[str, Field(description="Base model.", min_length=1, max_length=256)],
    training_files: Annotated[FileIds, Field(description="Ids of uploaded JSONL files.")],
    hyperparameters: Annotated[
        dict[str, JsonValue] | None, _HYPERPARAMETERS, Field(description="Training settings.")
    ] = None,
    validation_files: Annotated[FileIds | None, Field(description="Ids of uploaded JSONL files.")] = None,
    suffix: Annotated[str | None, Field(description="Suffix of the new model's name.", max_length=18)] = None,
    auto_start: Annotated[bool, Field(description="Start once validated.")] = False,
    dry_run: Annotated[bool, Field(description="Only estimate cost and duration.")] = False,
    job_type: Annotated[Literal["completion", "classifier"] | None, Field(description="Kind of model.")] = None,
    classifier_targets: Annotated[
        list[fine_tuning.ClassifierTarget] | None,
        Field(description="Labels a classifier chooses from.", max_length=100),
    ] = None,
) -> NewJob:
    """Fine-tune a model on uploaded files. Mistral has retired jobs and answers 410."""
    call = fine_tuning.CreateJobCall(
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
    with explain_refusal():
        reply = await mistral.send(call)
    if isinstance(reply, EstimateReply):
        return NewJob(model=model, estimate=reply)
    return NewJob(id=reply.id, status=reply.status, model=reply.model or model)


@toolset.tool("Start a fine-tuning job", effect="changes")
async def mistral_start_fine_tuning_job(mistral: Mistral, job_id: JobId) -> Job:
    """Start a validated fine-tuning job. Mistral has retired jobs and answers 410."""
    with explain_refusal(named_job=True):
        return Job.of(await mistral.send(fine_tuning.StartJobCall(job_id=job_id)))


@toolset.tool("Cancel a fine-tuning job", effect="cancels")
async def mistral_cancel_fine_tuning_job(mistral: Mistral, job_id: JobId) -> Job:
    """Cancel a fine-tuning job. Mistral has retired jobs and answers 410."""
    with explain_refusal(named_job=True):
        return Job.of(await mistral.send(fine_tuning.CancelJobCall(job_id=job_id)))


@toolset.tool("Update a fine-tuned model", effect="changes")
async def mistral_update_fine_tuned_model(
    mistral: Mistral,
    model: TunedModel,
    name: Annotated[str | None, Field(description="New name.", max_length=255)] = None,
    description: Annotated[str | None, Field(description="New description.", max_length=10_000)] = None,
) -> Tuned:
    """Change the name or description of a fine-tuned model."""
    if name is None and description is None:
        raise BadArgument("There is nothing to change.", "Give name or description.")
    call = fine_tuning.UpdateModelCall(model_id=model, name=name, description=description)
    return Tuned.from_reply(await mistral.send(call))


@toolset.tool("Archive a fine-tuned model", effect="changes")
async def mistral_archive_fine_tuned_model(mistral: Mistral, model: TunedModel) -> Tuned:
    """Archive a fine-tuned model: it cannot be used until it is unarchived."""
    return Tuned.from_reply(await mistral.send(fine_tuning.ArchiveModelCall(model_id=model)))


@toolset.tool("Unarchive a fine-tuned model", effect="changes")
async def mistral_unarchive_fine_tuned_model(mistral: Mistral, model: TunedModel) -> Tuned:
    """Unarchive a fine-tuned model to use it again."""
    return Tuned.from_reply(await mistral.send(fine_tuning.UnarchiveModelCall(model_id=model)))


@toolset.tool("Delete a fine-tuned model", effect="deletes")
async def mistral_delete_fine_tuned_model(mistral: Mistral, model: TunedModel) -> Deleted:
    """Delete a fine-tuned model permanently."""
    reply = await mistral.send(fine_tuning.DeleteModelCall(model_id=model))
    return Deleted(id=reply.id, deleted=reply.deleted)
