"""The rows of a batch job's result files: JSON lines, of which those that failed lie in a file of their own."""

import json
from array import array
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json, to_json

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.errors import ReplyTooLarge
from mistral_mcp.mistral.api.batch import BatchJobReply, GetBatchJobCall
from mistral_mcp.mistral.api.chat import ChatReply
from mistral_mcp.mistral.api.files import DownloadFileCall
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Reply
from mistral_mcp.mistral.client import MistralClient

RawRow = bytes | dict[str, JsonValue]
Only = Literal["succeeded", "failed"] | None
"""None: all."""


class ResponseReply(Reply):
    status_code: int | None = None
    body: JsonValue = None


class RowReply(Reply):
    custom_id: str | None = None
    response: ResponseReply | None = None
    error: JsonValue = None


@dataclass(frozen=True)
class Answer:
    """The answer to one request of a batch."""

    custom_id: str | None
    status_code: int | None
    body: JsonValue
    error: str | None
    """Why it failed; None where it did not."""

    @classmethod
    def read(cls, raw: RawRow) -> "Answer":
        try:
            if isinstance(raw, bytes):
                row = RowReply.model_validate_json(raw)
            else:
                row = RowReply.model_validate(raw)
        except ValidationError:
            return cls(None, None, None, "the row cannot be read")
        response = row.response or ResponseReply()
        body = _parse(response.body)
        if row.error is None and response.status_code == HTTPStatus.OK:
            return cls(row.custom_id, response.status_code, body, None)
        reason = _reason(row.error) or _reason(body) or "no reason is given"
        return cls(row.custom_id, response.status_code, body, reason)

    @property
    def has_succeeded(self) -> bool:
        return self.error is None

    @property
    def text(self) -> str | None:
        """What a model wrote, where that is the whole answer."""
        try:
            reply = ChatReply.model_validate(self.body)
        except ValidationError:
            return None
        if reply.tool_calls:
            return None
        return reply.text or None

    @property
    def model(self) -> str | None:
        if isinstance(self.body, dict):
            model = self.body.get("model")
        else:
            model = None
        if isinstance(model, str):
            return model
        return None

    @property
    def usage(self) -> UsageReply | None:
        try:
            return UsageReply.model_validate(self.body["usage"] if isinstance(self.body, dict) else None)
        except (KeyError, ValidationError):
            return None


@dataclass(frozen=True)
class BatchAnswers:
    """The answers to a batch job's requests as JSON lines, first those that succeeded. Those of a page are found by place."""

    job: BatchJobReply
    """Without its outputs."""
    content: bytes
    ends: "array[int]"
    """Where each line ends in `content`."""

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content) + self.ends.itemsize * len(self.ends)

    def lines(self, start: int, stop: int) -> list[bytes]:
        """Those at these places, as far as there are any."""
        ends = self.ends[max(start - 1, 0) : stop]
        if start == 0:
            ends.insert(0, 0)
        return [self.content[begin:end] for begin, end in pairwise(ends)]


async def read_answers(
    mistral: MistralClient,
    job_id: str,
    only: Only,
) -> BatchAnswers:
    """The answers of a job, or those of its requests that succeeded, or failed.

    Those of a job that has ended never change: they are fetched once for a caller who reads on within minutes.
    """
    recent, name = mistral.upstream.recent_reads, f"{job_id} {only}"
    answers = recent.find(mistral.caller, name, BatchAnswers)
    if answers is None:
        job = await mistral.send(GetBatchJobCall(job_id=job_id))
        answers = await _fetch_answers(mistral, job, only)
        if job.has_ended:
            recent.keep(mistral.caller, name, answers)
    return answers


async def _fetch_answers(
    mistral: MistralClient,
    job: BatchJobReply,
    only: Only,
) -> BatchAnswers:
    outputs = await run_heavy(_write_outputs, job.outputs)
    succeeded, failed = outputs.succeeded, outputs.failed
    if only != "failed" and job.output_file and not job.outputs:
        succeeded = await _download(mistral, job.output_file)
    if only != "succeeded" and job.error_file and not failed:
        failed = await _download(mistral, job.error_file)
    match only:
        case "succeeded":
            parts = [succeeded]
        case "failed":
            parts = [failed]
        case _:
            parts = [succeeded, failed]
    return await run_heavy(_find_lines, job.model_copy(update={"outputs": []}), parts)


class _Outputs(NamedTuple):
    """Rows that came with their job, as JSON lines."""

    succeeded: bytes
    failed: bytes


def _write_outputs(outputs: list[dict[str, JsonValue]]) -> _Outputs:
    succeeded: list[bytes] = []
    failed: list[bytes] = []
    for row in outputs:
        if Answer.read(row).has_succeeded:
            succeeded.append(to_json(row))
        else:
            failed.append(to_json(row))
    return _Outputs(b"\n".join(succeeded), b"\n".join(failed))


def _find_lines(job: BatchJobReply, parts: list[bytes]) -> BatchAnswers:
    lines: list[bytes] = []
    for part in parts:
        lines += filter(bytes.strip, part.split(b"\n"))
    ends = array("Q", accumulate(map(len, lines)))
    return BatchAnswers(job, b"".join(lines), ends)


async def _download(mistral: MistralClient, file_id: str) -> bytes:
    try:
        return await mistral.send(DownloadFileCall(file_id=file_id))
    except ReplyTooLarge as error:
        error.advice = f"mistral_get_file_url gives a link to the file {file_id}."
        raise


def _parse(body: JsonValue) -> JsonValue:
    """The body of a failure is a string of JSON."""
    if not isinstance(body, str):
        return body
    try:
        parsed: JsonValue = from_json(body, allow_inf_nan=False)
    except ValueError:
        return body
    return parsed


def _reason(error: JsonValue) -> str:
    """The reason in any of the shapes that Mistral gives one; else all there is."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(_reason(part) for part in error)
    if not isinstance(error, dict):
        return ""
    reason = next((error[name] for name in ("message", "detail", "error", "msg") if error.get(name)), None)
    if reason is None:
        return json.dumps(error)
    place = error.get("loc")
    if isinstance(place, list):
        where = f" (field {'.'.join(map(str, place))})"
    else:
        where = ""
    return f"{_reason(reason)}{where}"
