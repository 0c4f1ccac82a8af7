"""A batch job: what is known of it, and how it gets on. It takes a step each time somebody looks at it."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
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
GOOD = 200
ODD_ROWS = "sandbox-odd-rows"

Ask = Callable[[dict[str, Any]], Reply]


@dataclass
class BatchJob:
    """`ask` puts one body to the endpoint of the job."""

    id: str
    endpoint: str
    input_files: list[str]
    inline: bool
    ask: Ask
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
            # Failures are completed too.
            "completed_requests": self.succeeded + self.failed,
            "succeeded_requests": self.succeeded,
            "failed_requests": self.failed,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
        }

    def advance(self, account: Account) -> None:
        """One step: QUEUED, half of it done, all of it done."""
        if self.status == "QUEUED":
            lines = self._lines(account)
            self.status, self.started_at, self.total = "RUNNING", unix_time(), len(lines)
            self._work(lines[: len(lines) // 2])
        elif self.status == "RUNNING":
            self._work(self._lines(account)[len(self._rows) :])
            self._end(account, "SUCCESS" if self._rows else "FAILED")
        elif self.status == "CANCELLATION_REQUESTED":
            self._end(account, "CANCELLED")

    def cancel(self) -> None:
        """Ask for its end, which the next look at it will find. What is done by then is kept."""
        if self.status in ("QUEUED", "RUNNING"):
            self.status = "CANCELLATION_REQUESTED"

    def outputs(self, account: Account) -> list[dict[str, Any]] | None:
        """The rows of the output file."""
        file = self.output_file and account.section(Files).find(self.output_file)
        if file:
            return [json.loads(line) for line in file.lines]
        return None

    def _lines(self, account: Account) -> list[dict[str, Any]]:
        files = [account.section(Files).find(name) for name in self.input_files]
        return [json.loads(line) for file in files if file for line in file.lines]

    def _work(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            # The model of the job goes before that of the line, and there are no streams in a batch.
            chosen = {}
            if self.model:
                chosen = {"model": self.model}
            body = {name: value for name, value in line["body"].items() if name != "stream"}
            reply = self.ask({**body, **chosen})
            self._rows.append(self._row(line.get("custom_id"), reply))
            if reply.status == GOOD:
                self.succeeded += 1
            else:
                self.failed += 1
                self.errors[_failure_reason(reply)] += 1

    def _row(self, custom_id: Any, reply: Reply) -> dict[str, Any]:
        number = len(self._rows)
        body: Any = reply.body.decode()
        # The body of a failure is a string of JSON; of odd rows every body is one.
        if reply.status == GOOD and self.model != ODD_ROWS:
            body = json.loads(body)
        mark = hashlib.sha256(f"{self.id}/{number}".encode()).hexdigest()
        return {
            "id": f"batch-{self.id[:8]}-{mark[:8]}-{number}",
            "custom_id": custom_id,
            "response": {"status_code": reply.status, "body": body},
            "error": None,
        }

    def _end(self, account: Account, status: Status) -> None:
        good = [row for row in self._rows if row["response"]["status_code"] == GOOD]
        bad = [row for row in self._rows if row["response"]["status_code"] != GOOD]
        if self.model == ODD_ROWS:
            good.append(
                {**self._row("lost", Reply()), "response": None, "error": {"message": "The row was lost."}}
            )
        if good:
            self.output_file = add_output(account, f"{self.id}.jsonl", "batch", "batch_result", jsonl(good)).id
        if bad:
            self.error_file = add_output(account, f"{self.id}-errors.jsonl", "batch", "batch_error", jsonl(bad)).id
        self.status, self.completed_at = status, unix_time()
        self._rows.clear()


class BatchJobs(Store[BatchJob]):
    """All batch jobs of one key."""


def _failure_reason(reply: Reply) -> str:
    """What went wrong with a line, in a few words."""
    body: Any = json.loads(reply.body)
    message: Any = body.get("message") or body.get("detail")
    if isinstance(message, dict):
        message = cast("dict[str, Any]", message).get("detail")
    if isinstance(message, list):
        return ", ".join(str(cast("dict[str, Any]", detail).get("msg")) for detail in cast("list[Any]", message))
    return str(message)
