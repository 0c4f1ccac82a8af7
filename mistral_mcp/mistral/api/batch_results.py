"""The rows of a batch job's result files: JSON lines, of which those that failed lie in a file of their own."""

import json
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from mistral_mcp.errors import ReplyTooLarge
from mistral_mcp.mistral.api.batch import BatchJobReply
from mistral_mcp.mistral.api.chat import ChatReply
from mistral_mcp.mistral.api.files import DownloadFileCall
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Reply
from mistral_mcp.mistral.client import MistralClient

RawRow = bytes | dict[str, JsonValue]


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


async def read_rows(mistral: MistralClient, job: BatchJobReply, only: str | None) -> list[RawRow]:
    """The rows as they came, first those that succeeded. Only the page that is shown is worth reading."""
    succeeded: list[RawRow] = []
    failed: list[RawRow] = []
    for row in job.outputs:
        if Answer.read(row).has_succeeded:
            succeeded.append(row)
        else:
            failed.append(row)
    if only != "failed" and job.output_file and not job.outputs:
        succeeded = await _download_lines(mistral, job.output_file)
    if only != "succeeded" and job.error_file and not failed:
        failed = await _download_lines(mistral, job.error_file)
    match only:
        case "succeeded":
            return succeeded
        case "failed":
            return failed
        case _:
            return [*succeeded, *failed]


async def _download_lines(mistral: MistralClient, file_id: str) -> list[RawRow]:
    try:
        content = await mistral.send(DownloadFileCall(file_id=file_id))
    except ReplyTooLarge as error:
        error.advice = f"mistral_get_file_url gives a link to the file {file_id}."
        raise
    return [line for line in content.split(b"\n") if line.strip()]


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
