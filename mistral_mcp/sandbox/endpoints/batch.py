"""`/v1/batch/jobs`. The lines of a job are answered by the sandbox's own endpoints."""

import dataclasses
import functools
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field
from starlette.datastructures import QueryParams

from mistral_mcp.sandbox.endpoints import (
    agents,
    chat,
    classifiers,
    conversations,
    embeddings,
    fim,
    moderations,
    ocr,
    transcriptions,
)
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import ApiError, detail_error, invalid_fields, invalid_value
from mistral_mcp.sandbox.protocol.rate_limits import Limits
from mistral_mcp.sandbox.protocol.replies import Reply, compact, json_reply
from mistral_mcp.sandbox.protocol.request import Received
from mistral_mcp.sandbox.protocol.strict import Lax, MetadataFilter, Paging, Strict
from mistral_mcp.sandbox.state.batch_jobs import ENDED, BatchJob, BatchJobs, Status
from mistral_mcp.sandbox.state.files import Files, add_request_file, jsonl
from mistral_mcp.sandbox.state.fine_tuned_models import find_model

MAX_REQUESTS = 10_000
_SECTIONS = (chat, fim, embeddings, moderations, classifiers, ocr, conversations)
ANSWERS: Mapping[str, Callable[[Call], Reply]] = {
    endpoint.path: endpoint.answer for endpoint in chain.from_iterable(section.ENDPOINTS for section in _SECTIONS)
} | {"/v1/audio/transcriptions": transcriptions.transcribe_line}

Target = Literal[
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
Key = Annotated[str, Field(min_length=1, max_length=32)]
Value = Annotated[str, Field(min_length=1, max_length=512)]


class BatchRequest(Strict):
    custom_id: str | None = None
    body: dict[str, Any]


class NewJob(Strict):
    endpoint: Target
    input_files: list[uuid.UUID] | None = None
    requests: Annotated[list[BatchRequest], Field(max_length=MAX_REQUESTS)] | None = None
    model: str | None = None
    agent_id: str | None = None
    metadata: dict[Key, Value] | None = None
    timeout_hours: Annotated[int, Field(ge=1, le=168)] = 24


class JobFilter(Paging):
    model: str | None = None
    agent_id: str | None = None
    metadata: MetadataFilter = {}
    created_after: AwareDatetime | datetime | None = None
    created_by_me: bool = False
    status: tuple[Status, ...] = ()
    order_by: Literal["created", "-created"] = "-created"

    def admit(self, job: BatchJob) -> bool:
        """Whether the job matches."""
        return (
            self.model in (None, job.model)
            and self.agent_id in (None, job.agent_id)
            and (not self.status or job.status in self.status)
            and (self.created_after is None or job.created_at > self.created_after.timestamp())
            and self.metadata.items() <= (job.metadata or {}).items()
        )


class InlineOption(Lax):
    inline: bool = False


def create(call: Call) -> Reply:
    """Queue a job. Its requests are counted later, when it runs."""
    body = call.body(NewJob, invalid_fields)
    if not body.input_files and not body.requests:
        raise invalid_value("one of input_files and requests must be provided", "body")
    if body.input_files and body.requests:
        raise invalid_value("only one of input_files and requests may be provided", "body")
    if (
        body.model is not None
        and find_model(call.account, body.model) is None
        and not body.model.startswith("ft:")
    ):
        raise detail_error(422, "You do not have access to the model")
    if body.agent_id is not None:
        agents.check_agent(call.account, body.agent_id)

    input_files = [_find_input_file(call, str(name)) for name in body.input_files or []]
    if body.requests:
        rows = [request.model_dump(exclude_none=True) for request in body.requests]
        input_files = [add_request_file(call.account, "inline.jsonl", "batch", "batch_request", jsonl(rows)).id]

    job = BatchJob(
        id=call.account.new_id("batch"),
        endpoint=body.endpoint,
        input_files=input_files,
        inline=body.requests is not None,
        answer=functools.partial(_answer_line, call, body.endpoint, body.agent_id),
        model=body.model,
        agent_id=body.agent_id,
        metadata=body.metadata,
    )
    return json_reply(call.account.section(BatchJobs).put(job.id, job).card())


def list_jobs(call: Call) -> Reply:
    """Newest first, unless `order_by` says otherwise. Listing jobs does not advance them."""
    query = call.query(JobFilter)
    # The official SDK sends each member of the metadata as a query parameter of its own.
    spread = {name: value for name, value in call.request.query.items() if name not in JobFilter.model_fields}
    query = query.model_copy(update={"metadata": {**query.metadata, **spread}})

    jobs = call.account.section(BatchJobs).newest_first()
    if query.order_by == "created":
        jobs.reverse()
    found = [job for job in jobs if query.admit(job)]
    return json_reply(
        {
            "data": [job.card() for job in query.cut(found)],
            "object": "list",
            "total": len(found),
        }
    )


def get_job(call: Call) -> Reply:
    """The job, after advancing it by one step; with its outputs if it has ended and `inline` was requested."""
    job = _job(call)
    job.advance(call.account)
    outputs = None
    if job.status in ENDED and (job.inline or call.query(InlineOption).inline):
        outputs = job.outputs(call.account)
    return json_reply(job.card(outputs))


def cancel(call: Call) -> Reply:
    job = _job(call)
    job.cancel()
    return json_reply(job.card())


def delete(call: Call) -> Reply:
    job = call.account.section(BatchJobs).remove(call.uuid("job_id"))
    return json_reply(
        {
            "id": job.id,
            "object": "batch",
            "deleted": True,
        }
    )


def _job(call: Call) -> BatchJob:
    return call.account.section(BatchJobs).get(call.uuid("job_id"))


def _find_input_file(call: Call, name: str) -> str:
    file = call.account.section(Files).get(name)
    if file.purpose != "batch":
        raise detail_error(422, f"File {name} has purpose {file.purpose}, but batch is needed.")
    return file.id


def _answer_line(call: Call, endpoint: str, agent_id: str | None, body: dict[str, Any]) -> Reply:
    """The answer to one line, which does not count against the rate limits."""
    answer = ANSWERS[endpoint]
    if agent_id is not None:
        answer, body = agents.complete, {**body, "agent_id": agent_id}
    request = Received("POST", endpoint, QueryParams(), dict(call.request.headers), compact(body).encode())
    account = dataclasses.replace(call.account, limits=Limits(), meters={})
    try:
        return answer(Call(request, call.key, account, {}))
    except ApiError as error:
        return error.reply


ENDPOINTS = (
    Endpoint("POST", "/v1/batch/jobs", create),
    Endpoint("GET", "/v1/batch/jobs", list_jobs),
    Endpoint("GET", "/v1/batch/jobs/{job_id}", get_job),
    Endpoint("POST", "/v1/batch/jobs/{job_id}/cancel", cancel),
    Endpoint("DELETE", "/v1/batch/jobs/{job_id}", delete),
)
