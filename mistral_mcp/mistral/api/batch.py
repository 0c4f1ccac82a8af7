"""Batch jobs: many requests to one endpoint, at half the price, done within hours.

Source: `/v1/batch/jobs`. A job that ended with SUCCESS may still have failed rows, and they lie
in a file of their own, where `response.body` is a string of JSON.
"""

from typing import cast

from pydantic import BaseModel, Field, JsonValue, SkipValidation, model_validator

from mistral_mcp.mistral.call import Call, Maybe, Moment, Reply

MOST_REQUESTS = 10_000
"""Inline in one job."""

ENDED = frozenset({"SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"})


class BatchErrorReply(Reply):
    message: str = ""
    count: int = 1


class BatchJobReply(Reply):
    id: str
    status: str
    endpoint: str = ""
    model: str | None = None
    total_requests: int = Field(default=0, description="0 while the job is in the queue")
    completed_requests: int = Field(default=0, description="failed ones included")
    succeeded_requests: int = 0
    failed_requests: int = 0
    created_at: Moment | None = None
    started_at: Maybe[Moment] = None
    completed_at: Maybe[Moment] = None
    agent_id: Maybe[str] = None
    input_files: list[str] = []
    output_file: Maybe[str] = None
    error_file: Maybe[str] = None
    errors: Maybe[list[BatchErrorReply]] = None
    metadata: Maybe[dict[str, JsonValue]] = None
    outputs: list[SkipValidation[dict[str, JsonValue]]] = Field(default=[], exclude=True)
    """The rows themselves, where the requests came inline."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_nothing(cls, value: object) -> object:
        """Which members may be null or empty differs from status to status."""
        if not isinstance(value, dict):
            return value
        return {
            name: member for name, member in cast("dict[str, object]", value).items() if member not in (None, [])
        }

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


class BatchJobList(Reply):
    data: list[BatchJobReply] = []
    total: int | None = None


class BatchRequest(BaseModel):
    """One line of a job."""

    custom_id: str
    body: dict[str, JsonValue]


class CreateBatchJobCall(Call[BatchJobReply]):
    """Either `requests` or `input_files`."""

    path = "/v1/batch/jobs"

    endpoint: str
    requests: list[BatchRequest] | None = None
    input_files: list[str] | None = None
    model: str | None = None
    timeout_hours: int | None = None
    metadata: dict[str, str] | None = None


class GetBatchJobCall(Call[BatchJobReply]):
    path = "/v1/batch/jobs/{job_id}"
    method = "GET"
    repeatable = True

    job_id: str


class ListBatchJobsCall(Call[BatchJobList]):
    path = "/v1/batch/jobs"
    method = "GET"
    repeatable = True

    page: int
    page_size: int
    status: list[str] | None = None
    model: str | None = None


class CancelBatchJobCall(Call[BatchJobReply]):
    path = "/v1/batch/jobs/{job_id}/cancel"

    job_id: str
