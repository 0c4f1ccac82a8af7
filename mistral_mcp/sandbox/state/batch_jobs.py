"""Batch jobs and their progress. A job advances by one step each time it is looked up."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal, cast

from mistral_mcp.sandbox.protocol.clock import unix_time
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.replies import Reply
from mistral_mcp.sandbox.state.files import Files, add_output, jsonl
from mistral_mcp.sandbox.state.store import Store

Status = Literal[
    "QUEUED", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLATION_REQUESTED", "CANCELLED"
]
ENDED = ("SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED")
OK = 200
ODD_ROWS = "sandbox-odd-rows"

AnswerLine = Callable[[dict[str, Any]], Reply]


@dataclass
class BatchJob:
    """A batch job. `answer` sends one body to the job's endpoint. Times are Unix times, in seconds."""

    id: str
    endpoint: str
    input_files: list[str]
    inline: bool
    answer: AnswerLine
    model: str | None = None
    agent_id: str | None = None
    metadata: dict[str, str] | None = None
    status: Status = "QUEUED"
    created_at: int = field(default_factory=unix_time)
    started_at: int | None = None
    completed_at: int | None = None
    total: int = 0
    output_file: str | None = None
    error_file: str | None = None
    errors: Counter[str] = field(default_factory=Counter[str])
    succeeded: int = 0
    failed: int = 0
    _rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def card(self, outputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """The job as the API shows it."""
        return {
            "id": self.id,
            "object": "batch",
            "input_files": self.input_files,
            "metadata": self.metadata,
            "endpoint": self.endpoint,
            "model": self.model,
            "agent_id": self.agent_id,
            "output_file": self.output_file,
            "error_file": self.error_file,
            "errors": [{"message": message, "count": count} for message, count in self.errors.items()],
            "outputs": outputs,
            "status": self.status,
            "created_at": self.created_at,
            "total_requests": 0 if self.model == ODD_ROWS else self.total,
            # Failed requests count as completed.
            "completed_requests": self.succeeded + self.failed,
            "succeeded_requests": self.succeeded,
            "failed_requests": self.failed,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
        }

    def advance(self, account: Account) -> None:
        """Advance by one step: from QUEUED to half of the lines, then to all of them."""
        if self.status == "QUEUED":
            lines = self._lines(account)
            self.status, self.started_at, self.total = "RUNNING", unix_time(), len(lines)
            self._process_lines(lines[: len(lines) // 2])
        elif self.status == "RUNNING":
            self._process_lines(self._lines(account)[len(self._rows) :])
            self._end(account, "SUCCESS" if self._rows else "FAILED")
        elif self.status == "CANCELLATION_REQUESTED":
            self._end(account, "CANCELLED")

    def cancel(self) -> None:
        """Request the cancellation, which takes effect at the next step. Rows that are done by then are kept."""
        if self.status in ("QUEUED", "RUNNING"):
            self.status = "CANCELLATION_REQUESTED"

    def outputs(self, account: Account) -> list[dict[str, Any]] | None:
        """The rows of the output file."""
        file = self.output_file and account.section(Files).find(self.output_file)
        if file:
            return [json.loads(line) for line in file.lines]
        return None

    def _lines(self, account: Account) -> list[dict[str, Any]]:
        files = filter(None, map(account.section(Files).find, self.input_files))
        return [json.loads(line) for line in chain.from_iterable(file.lines for file in files)]

    def _process_lines(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            # The model of the job overrides that of the line, and there are no streams in a batch.
            body = {name: value for name, value in line["body"].items() if name != "stream"}
            if self.model:
                body["model"] = self.model
            reply = self.answer(body)

            self._rows.append(self._row(line.get("custom_id"), reply))
            if reply.status == OK:
                self.succeeded += 1
            else:
                self.failed += 1
                self.errors[_failure_reason(reply)] += 1

    def _row(self, custom_id: Any, reply: Reply) -> dict[str, Any]:
        number = len(self._rows)
        body: Any = reply.body.decode()
        # The body of a failure is JSON in a string; with `sandbox-odd-rows` every body is.
        if reply.status == OK and self.model != ODD_ROWS:
            body = json.loads(body)
        mark = hashlib.sha256(f"{self.id}/{number}".encode()).hexdigest()
        return {
            "id": f"batch-{self.id[:8]}-{mark[:8]}-{number}",
            "custom_id": custom_id,
            "response": {"status_code": reply.status, "body": body},
            "error": None,
        }

    def _end(self, account: Account, status: Status) -> None:
        """Write the output file and the error file."""
        succeeded = [row for row in self._rows if row["response"]["status_code"] == OK]
        failed = [row for row in self._rows if row["response"]["status_code"] != OK]
        if self.model == ODD_ROWS:
            lost = {"response": None, "error": {"message": "The row was lost."}}
            succeeded.append({**self._row("lost", Reply()), **lost})

        if succeeded:
            file = add_output(account, f"{self.id}.jsonl", "batch", "batch_result", jsonl(succeeded))
            self.output_file = file.id
        if failed:
            file = add_output(account, f"{self.id}-errors.jsonl", "batch", "batch_error", jsonl(failed))
            self.error_file = file.id

        self.status, self.completed_at = status, unix_time()
        self._rows.clear()


class BatchJobs(Store[BatchJob]):
    """All batch jobs of one key."""


def _failure_reason(reply: Reply) -> str:
    """The error of a failed line, in a few words."""
    body: Any = json.loads(reply.body)
    message: Any = body.get("message") or body.get("detail")
    if isinstance(message, dict):
        message = cast("dict[str, Any]", message).get("detail")
    if isinstance(message, list):
        return ", ".join(str(cast("dict[str, Any]", detail).get("msg")) for detail in cast("list[Any]", message))
    return str(message)
