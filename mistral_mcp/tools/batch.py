"""Toolset `batch`: many requests in one job, at half the price, done within hours. A job is an id; nothing here waits."""

import json
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, WithJsonSchema

from mistral_mcp.errors import BadArgument, ReplyTooLarge
from mistral_mcp.json_schema import parse_json
from mistral_mcp.mistral.api import batch
from mistral_mcp.mistral.api.batch import BatchJobReply, BatchRequest
from mistral_mcp.mistral.api.chat import ChatReply
from mistral_mcp.mistral.api.files import DownloadFileCall
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Reply
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.tools.framework.cut_text import LONG, cut
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.paging import Page, PageSize, format_time, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, MaybeJson, Result, Usage, usage_of

toolset = Toolset()

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
Status = Literal["QUEUED", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLATION_REQUESTED", "CANCELLED"]
# The names that matter are in its description.
Listed = Annotated[Status, WithJsonSchema({"type": "string"})]
JobId = Annotated[str, Field(description="As listed.", min_length=1)]


class Request(BaseModel):
    """A request without an id gets its position as one."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    custom_id: str | None = None
    body: dict[str, JsonValue]


Name = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Metadata = Annotated[dict[Name, Value], WithJsonSchema({"type": "object"})]


class Job(BaseModel):
    """A job, and how far it is."""

    id: str
    status: str
    endpoint: str
    model: str | None
    total_requests: int = Field(description="0 while the job is in the queue.")
    completed_requests: int = Field(description="Failed ones included.")
    succeeded_requests: int
    failed_requests: int
    created_at: int | None = Field(description="Seconds since 1970.")
    started_at: Maybe[int] = None
    completed_at: Maybe[int] = None
    input_files: list[str]
    output_file: Maybe[str] = None
    error_file: Maybe[str] = None
    errors: Maybe[list[str]] = None
    metadata: Maybe[dict[str, JsonValue]] = None

    @classmethod
    def of(cls, reply: BatchJobReply) -> "Job":
        errors = [f"{error.message} ({error.count} times)" for error in reply.errors] or None
        return cls.model_validate({**reply.model_dump(exclude={"outputs"}), "errors": errors})

    def line(self) -> str:
        done = f"{self.completed_requests} of {self.total_requests} done" if self.total_requests else "nothing done yet"
        failed = f", {self.failed_requests} failed" if self.failed_requests else ""
        errors = f" ({'; '.join(self.errors[:3])})" if self.errors else ""
        what = f"{self.endpoint}{f' with {self.model}' if self.model else ''}"
        return f"{self.id}  {self.status}: {what}, {done}{failed}{errors}, created {format_time(self.created_at)}"


class OneJob(Result, Job):
    """One job."""

    def to_text(self) -> str:
        return self.line()


class Jobs(Result):
    """One page of jobs, newest first."""

    jobs: list[Job]
    total: int | None
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text([job.line() for job in self.jobs], "No job.", self.next_page, self.total)


class Row(BaseModel):
    """The answer to one request: its text, or the body of an answer that is none, or what went wrong."""

    custom_id: str | None
    status_code: int | None
    text: Maybe[str] = None
    body: MaybeJson = None
    error: Maybe[str] = None


class Rows(Result):
    """One page of a job's answers, those that failed at the end."""

    job_id: str
    status: str
    succeeded: int
    failed: int
    results: list[Row]
    next_page: Maybe[int] = None
    page_usage: Maybe[Usage] = Field(default=None, description="Of the answers on this page.")
    note: Maybe[str] = None

    def to_text(self) -> str:
        lines = [
            f"[{row.custom_id}] "
            + (f"FAILED: {row.error}" if row.error is not None else row.text or json.dumps(row.body))
            for row in self.results
        ]
        return list_text(lines, self.note or "Nothing on this page.", self.next_page, None)


@toolset.tool("Start a batch job", effect="creates")
async def mistral_create_batch_job(
    mistral: Mistral,
    endpoint: Annotated[Endpoint, Field(description="What answers each request.")],
    requests: Annotated[
        list[Request] | None,
        Field(
            description="[{custom_id, body}], body as the endpoint takes it.",
            min_length=1,
            max_length=batch.MOST_REQUESTS,
        ),
    ] = None,
    input_files: Annotated[
        list[str] | None, Field(description="Or ids of files uploaded for batch.", min_length=1)
    ] = None,
    model: Annotated[str | None, Field(description="Of all requests.", min_length=1)] = None,
    timeout_hours: Annotated[int | None, Field(description="Then it ends.", ge=1, le=168)] = None,
    metadata: Annotated[Metadata | None, Field(description="Names and values.")] = None,
) -> OneJob:
    """Have many requests answered within hours, at half price. Give requests or input_files; keep the id."""
    if (requests is None) == (input_files is None):
        both = "both are given" if requests else "both are missing"
        raise BadArgument(f"A job takes requests or input_files, and {both}.", "Give one of the two.")
    call = batch.CreateBatchJobCall(
        endpoint=endpoint,
        requests=_identified(requests) if requests else None,
        input_files=input_files,
        model=model,
        timeout_hours=timeout_hours,
        metadata=metadata,
    )
    return OneJob(**Job.of(await mistral.send(call)).model_dump())


@toolset.tool("Look a batch job up", effect="reads")
async def mistral_get_batch_job(mistral: Mistral, job_id: JobId) -> OneJob:
    """See how far a batch job is."""
    return OneJob(**Job.of(await mistral.send(batch.GetBatchJobCall(job_id=job_id))).model_dump())


@toolset.tool("Get a batch job's answers", effect="reads")
async def mistral_get_batch_results(
    mistral: Mistral,
    job_id: JobId,
    page: Page = 0,
    page_size: PageSize = 20,
    only: Annotated[Literal["succeeded", "failed"] | None, Field(description="These alone.")] = None,
) -> Rows:
    """Read the answers of a batch job that has ended, each under its custom_id. Fewer on a page are shown longer."""
    job = await mistral.send(batch.GetBatchJobCall(job_id=job_id))
    raw = await _answers(mistral, job, only)
    shown = [_Answer.of(row) for row in raw[page * page_size : (page + 1) * page_size]]
    room = LONG // max(len(shown), 1)
    kept = job.output_file or job.error_file
    rest = "page_size=1 shows more" + (f", mistral_download_file all of {kept}." if kept else ".")
    model = next((answer.model for answer in shown if answer.model), job.model or "")
    usage = [answer.usage for answer in shown if answer.usage]
    return Rows(
        job_id=job.id,
        status=job.status,
        succeeded=job.succeeded_requests,
        failed=job.failed_requests,
        results=[answer.row(room, rest) for answer in shown],
        next_page=next_page(page, page_size, len(shown), len(raw)),
        page_usage=usage_of(mistral, model, sum(usage, UsageReply()), batch=True) if usage else None,
        note=None if raw else _why_nothing(job, only),
    )


@toolset.tool("List batch jobs", effect="reads")
async def mistral_list_batch_jobs(
    mistral: Mistral,
    page: Page = 0,
    page_size: PageSize = 20,
    status: Annotated[Listed | None, Field(description="RUNNING, SUCCESS, FAILED, ….")] = None,
    model: Annotated[str | None, Field(description="Only of this one.", min_length=1)] = None,
) -> Jobs:
    """See batch jobs, newest first."""
    call = batch.ListBatchJobsCall(page=page, page_size=page_size, status=[status] if status else None, model=model)
    reply = await mistral.send(call)
    return Jobs(
        jobs=[Job.of(job) for job in reply.data],
        total=reply.total,
        next_page=next_page(page, page_size, len(reply.data), reply.total),
    )


@toolset.tool("Cancel a batch job", effect="cancels")
async def mistral_cancel_batch_job(mistral: Mistral, job_id: JobId) -> OneJob:
    """Stop a batch job. What is answered by then is kept, and paid for."""
    return OneJob(**Job.of(await mistral.send(batch.CancelBatchJobCall(job_id=job_id))).model_dump())


def _identified(requests: list[Request]) -> list[BatchRequest]:
    """The requests, each with an id of its own: Mistral itself does not mind two that are the same."""
    found = [
        BatchRequest(custom_id=str(index) if request.custom_id is None else request.custom_id, body=request.body)
        for index, request in enumerate(requests)
    ]
    twice = next((name for name, times in Counter(request.custom_id for request in found).items() if times > 1), None)
    if twice is not None:
        places = [index for index, request in enumerate(found) if request.custom_id == twice]
        raise BadArgument(
            f"requests[{places[0]}] and requests[{places[1]}] have the same custom_id.", "Give each its own."
        )
    return found


_Raw = bytes | dict[str, Any]


async def _answers(mistral: MistralClient, job: BatchJobReply, only: str | None) -> list[_Raw]:
    """The rows as they came, first those that succeeded. Only the page that is shown is worth reading."""
    rows: list[_Raw] = list(job.outputs or ())
    good = [row for row in rows if _Answer.of(row).good]
    bad = [row for row in rows if not _Answer.of(row).good]
    if job.output_file and not rows and only != "failed":
        good = await _lines(mistral, job.output_file)
    if job.error_file and not bad and only != "succeeded":
        bad = await _lines(mistral, job.error_file)
    return [*([] if only == "failed" else good), *([] if only == "succeeded" else bad)]


async def _lines(mistral: MistralClient, file_id: str) -> list[_Raw]:
    try:
        content = await mistral.send(DownloadFileCall(file_id=file_id))
    except ReplyTooLarge as error:
        error.advice = f"mistral_get_file_url gives a link to the file {file_id}."
        raise
    return [line for line in content.split(b"\n") if line.strip()]


@dataclass
class _Answer:
    """One row, read."""

    custom_id: str | None
    status_code: int | None
    body: JsonValue
    error: str | None

    @classmethod
    def of(cls, raw: _Raw) -> "_Answer":
        try:
            row = _RowReply.model_validate_json(raw) if isinstance(raw, bytes) else _RowReply.model_validate(raw)
        except ValidationError:
            return cls(None, None, None, "the row cannot be read")
        response = row.response or _ResponseReply()
        body = _parsed(response.body)
        failed = row.error is not None or response.status_code != HTTPStatus.OK
        error = (_told(row.error) or _told(body) or "no reason is given") if failed else None
        return cls(row.custom_id, response.status_code, body, error)

    @property
    def good(self) -> bool:
        return self.error is None

    @property
    def model(self) -> str | None:
        model = self.body.get("model") if isinstance(self.body, dict) else None
        return model if isinstance(model, str) else None

    @property
    def usage(self) -> UsageReply | None:
        try:
            return UsageReply.model_validate(self.body["usage"] if isinstance(self.body, dict) else None)
        except (KeyError, ValidationError):
            return None

    def row(self, room: int, rest: str) -> Row:
        """What of it fits into so many characters."""
        row = Row(custom_id=self.custom_id, status_code=self.status_code)
        if self.error is not None:
            row.error = cut(self.error, rest, room)
            return row
        text, body = self._text(), self.body
        if text is None and len(whole := json.dumps(body, ensure_ascii=False)) > room:
            text = whole
        if text is None:
            row.body = body
        else:
            row.text = cut(text, rest, room)
        return row

    def _text(self) -> str | None:
        """What a model wrote, where that is the whole answer."""
        try:
            reply = ChatReply.model_validate(self.body)
        except ValidationError:
            return None
        return None if reply.tool_calls else reply.text or None


class _ResponseReply(Reply):
    status_code: int | None = None
    body: JsonValue = None


class _RowReply(Reply):
    custom_id: str | None = None
    response: _ResponseReply | None = None
    error: JsonValue = None


def _parsed(body: JsonValue) -> JsonValue:
    """The body of a failure is a string of JSON."""
    if not isinstance(body, str):
        return body
    try:
        return parse_json(body)
    except ValueError:
        return body


def _told(error: JsonValue) -> str:
    """The reason in any of the shapes Mistral gives one; else all there is."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(_told(part) for part in error)
    if not isinstance(error, dict):
        return ""
    told = next((error[name] for name in ("message", "detail", "error", "msg") if error.get(name)), None)
    place = error.get("loc")
    where = f" (field {'.'.join(map(str, place))})" if isinstance(place, list) else ""
    return f"{_told(told)}{where}" if told is not None else json.dumps(error)


def _why_nothing(job: BatchJobReply, only: str | None) -> str:
    if not job.ended:
        done = f", {job.completed_requests} of {job.total_requests} done" if job.total_requests else ""
        return f"The job is {job.status}{done}: its answers come when it has ended."
    if only:
        return f"None {only}."
    reasons = "; ".join(error.message for error in job.errors[:3])
    return f"The job ended as {job.status} and left no answers{f': {reasons}' if reasons else ''}."
