"""Toolset `batch`: many requests in one job, at half the price, done within hours. A job is an id; no tool waits for it."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, WithJsonSchema

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import batch
from mistral_mcp.mistral.api.batch import BatchJobReply, BatchRequest
from mistral_mcp.mistral.api.batch_results import Answer, read_answers
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.arguments import exactly_one_of
from mistral_mcp.tools.framework.batch_rows import Row
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.estimates.batches import estimate_batch
from mistral_mcp.tools.framework.estimates.estimate import Estimate
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.paging import Page, PageSize, counted, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

MAX_FILES = 100

Endpoint = Literal[
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/fim/completions",
    "/v1/moderations",
    "/v1/chat/moderations",
    "/v1/ocr",
    "/v1/classifications",
    "/v1/chat/classifications",
    "/v1/conversations",
    "/v1/audio/transcriptions",
]
Status = Literal[
    "QUEUED", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLATION_REQUESTED", "CANCELLED"
]
# Its description has the common names.
AnyStatus = Annotated[Status, WithJsonSchema({"type": "string"})]
JobId = Annotated[str, Field(description="Batch job id.", min_length=1, max_length=100)]


class Request(BaseModel):
    """A request of a job; without an id it gets its position as one."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    custom_id: Annotated[str | None, Field(max_length=512)] = None
    body: dict[str, JsonValue]


Name = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Metadata = Annotated[dict[Name, Value], WithJsonSchema({"type": "object"}), Field(max_length=16)]


def job_line(job: BatchJobReply) -> str:
    """A job as a line of text."""
    if job.model:
        model = f" with {job.model}"
    else:
        model = ""
    facts = [f"{job.endpoint}{model}", _progress(job) or "nothing done yet"]
    facts += [f"{job.failed_requests} failed"] if job.failed_requests else []
    facts += [f"created {job.created_at}"] if job.created_at else []
    facts += [f"reasons: {_reasons(job)}"] if job.errors else []
    return f"{job.id}  {job.status}: {', '.join(facts)}"


def _progress(job: BatchJobReply) -> str:
    if job.total_requests:
        return f"{job.completed_requests} of {job.total_requests} done"
    return ""


def _reasons(job: BatchJobReply) -> str:
    return "; ".join(f"{error.message} ({counted(error.count, 'time')})" for error in (job.errors or [])[:3])


class Job(Result, BatchJobReply):
    """A batch job and its progress."""

    def to_text(self) -> str:
        return job_line(self)


class Jobs(Result):
    """One page of jobs, newest first."""

    jobs: list[BatchJobReply]
    total: int | None
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text([job_line(job) for job in self.jobs], "No batch jobs.", self.next_page, self.total)


class Rows(Result):
    """One page of a job's answers, those that failed at the end."""

    job_id: str
    status: str
    succeeded: int
    failed: int
    results: list[Row]
    next_page: Maybe[int] = None
    kept: Maybe[Kept] = Field(default=None, description="this page's answers uncut, as JSON lines")
    page_usage: Maybe[Usage] = Field(default=None, description="of the answers on this page")
    note: Maybe[str] = None

    def to_text(self) -> str:
        nothing = self.note or "Nothing on this page."
        text = list_text([row.line() for row in self.results], nothing, self.next_page, None)
        if self.kept is None:
            return text
        return f"{text}\n\nSome answers are cut. {self.kept.note()}"


@toolset.tool("Create a batch job", effect="creates", charge=Charge(asks_dry_run=True, is_later=True))
async def mistral_create_batch_job(
    mistral: Mistral,
    endpoint: Annotated[Endpoint, Field(description="API endpoint that answers the requests.")],
    requests: Annotated[
        list[Request] | None,
        Field(
            description="Requests; body as the endpoint takes it.", min_length=1, max_length=batch.MOST_REQUESTS
        ),
    ] = None,
    input_files: Annotated[
        list[str] | None,
        Field(description="Instead: ids of files uploaded for batch.", min_length=1, max_length=MAX_FILES),
    ] = None,
    model: Annotated[
        str | None, Field(description="Model for all requests.", min_length=1, max_length=256)
    ] = None,
    timeout_hours: Annotated[int | None, Field(description="Job timeout.", ge=1, le=168)] = None,
    metadata: Annotated[Metadata | None, Field(description="Names and values of your own.")] = None,
    dry_run: parameters.DryRun = None,
) -> Job | Estimate:
    """Run many requests as one batch job, within hours and at half price. Give requests or input_files; keep the id."""
    exactly_one_of(requests=requests, input_files=input_files)
    _check_model(endpoint, model, requests or [], from_files=input_files is not None)
    call = batch.CreateBatchJobCall(
        endpoint=endpoint,
        requests=_with_ids(requests) if requests else None,
        input_files=input_files,
        model=model,
        timeout_hours=timeout_hours,
        metadata=metadata,
    )
    if dry_run:
        bodies = [request.body for request in requests or ()]
        return await estimate_batch(mistral, endpoint, model, bodies, input_files or ())
    return Job.from_reply(await mistral.send(call))


@toolset.tool("Get a batch job", effect="reads")
async def mistral_get_batch_job(mistral: Mistral, job_id: JobId) -> Job:
    """Check the status and progress of a batch job."""
    return Job.from_reply(await mistral.send(batch.GetBatchJobCall(job_id=job_id)))


@toolset.tool("Get a batch job's results", effect="reads")
async def mistral_get_batch_results(
    mistral: Mistral,
    kept_results: KeptResults,
    job_id: JobId,
    page: Page = 0,
    page_size: PageSize = 20,
    only: Annotated[Literal["succeeded", "failed"] | None, Field(description="Only these answers.")] = None,
) -> Rows:
    """Read the answers of a finished batch job, each with its custom_id."""
    found = await read_answers(mistral, job_id, only)
    job = found.job
    answers, rows = await run_heavy(_read_rows, found.lines(page * page_size, (page + 1) * page_size))
    shown = [row.cut(LONG // len(rows)) for row in rows]
    kept = None
    if shown != rows:
        lines = "\n".join(row.model_dump_json() for row in rows)
        kept = await kept_results.keep(lines, filename=f"{job.id}.jsonl", mime_type="application/jsonl")
    return Rows(
        job_id=job.id,
        status=job.status,
        succeeded=job.succeeded_requests,
        failed=job.failed_requests,
        results=shown,
        next_page=next_page(page, page_size, len(shown), len(found)),
        kept=kept,
        page_usage=_usage(mistral, job, answers),
        note=None if len(found) else _why_empty(job, only),
    )


@toolset.tool("List batch jobs", effect="reads")
async def mistral_list_batch_jobs(
    mistral: Mistral,
    page: Page = 0,
    page_size: PageSize = 20,
    status: Annotated[AnyStatus | None, Field(description="QUEUED, RUNNING, SUCCESS, FAILED, ….")] = None,
    model: Annotated[
        str | None, Field(description="Only jobs of this model.", min_length=1, max_length=256)
    ] = None,
) -> Jobs:
    """List batch jobs, newest first."""
    call = batch.ListBatchJobsCall(
        page=page, page_size=page_size, status=[status] if status else None, model=model
    )
    reply = await mistral.send(call)
    following = next_page(page, page_size, len(reply.data), reply.total)
    return Jobs(jobs=reply.data, total=reply.total, next_page=following)


@toolset.tool("Cancel a batch job", effect="cancels")
async def mistral_cancel_batch_job(mistral: Mistral, job_id: JobId) -> Job:
    """Cancel a batch job. What is answered by then is kept, and paid for."""
    return Job.from_reply(await mistral.send(batch.CancelBatchJobCall(job_id=job_id)))


def _check_model(endpoint: Endpoint, model: str | None, requests: list[Request], *, from_files: bool) -> None:
    """Refuse a job without a model, which Mistral would accept and fail hours later."""
    if model is not None or endpoint == "/v1/conversations":
        return
    unnamed = next((index for index, request in enumerate(requests) if not request.body.get("model")), None)
    if unnamed is not None:
        raise BadArgument(f"model is missing, and requests[{unnamed}].body has none either.", "Give model.")
    if from_files and endpoint == "/v1/chat/completions":
        raise BadArgument("model is missing.", "Give the model for the requests in the files.")


def _with_ids(requests: list[Request]) -> list[BatchRequest]:
    """The requests, each with a unique id, which Mistral does not check."""
    found = [
        BatchRequest(custom_id=str(index) if request.custom_id is None else request.custom_id, body=request.body)
        for index, request in enumerate(requests)
    ]
    counts = Counter(request.custom_id for request in found)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        places = [index for index, request in enumerate(found) if request.custom_id == twice]
        raise BadArgument(
            f"requests[{places[0]}] and requests[{places[1]}] have the same custom_id.", "Give each its own."
        )
    return found


def _read_rows(lines: list[bytes]) -> tuple[list[Answer], list[Row]]:
    answers = [Answer.read(line) for line in lines]
    return answers, [Row.of(answer) for answer in answers]


def _usage(mistral: Mistral, job: BatchJobReply, answers: list[Answer]) -> Usage | None:
    usage = [answer.usage for answer in answers if answer.usage]
    if not usage:
        return None
    model = next((answer.model for answer in answers if answer.model), job.model or "")
    return usage_of(mistral, model, sum(usage, UsageReply()), batch=True)


def _why_empty(job: BatchJobReply, only: str | None) -> str:
    if not job.has_ended:
        if job.total_requests:
            progress = f" ({_progress(job)})"
        else:
            progress = ""
        return f"The job is {job.status}{progress}: answers are available when it has ended."
    if only:
        return f"None {only}."
    if job.errors:
        reasons = f": {_reasons(job)}"
    else:
        reasons = ""
    return f"The job ended as {job.status} and left no answers{reasons}."
