"""Failures on demand: faults planned for the next requests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict

from mistral_mcp.sandbox.protocol.connection import Interruption
from mistral_mcp.sandbox.protocol.errors import GUARDRAIL_BLOCK, error_body, usual_reply
from mistral_mcp.sandbox.protocol.replies import Reply, compact, html_reply, json_reply
from mistral_mcp.sandbox.protocol.request import Received


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How one request fails. Combinations that contradict each other raise ValueError.

    These replace the real answer:
        status, body         this status with this body (text, bytes, or an object sent as JSON; default: Mistral's usual body
                             for that status)
        malformed            truncated JSON (with `status`, or 200)
        empty                an empty body
        html                 an HTML error page, as a proxy sends it
        echo_key             a 400 (or `status`) whose message repeats the Authorization header
        hang                 no answer until the client disconnects
        drop                 "before_headers": the connection is closed without an answer
    These modify the real answer:
        drop                 "mid_body": the connection is closed after half of the body, or half of the chunks
        cut_after            the connection is closed after this many chunks of a stream, or before the body of a plain answer
        no_done              a stream ends cleanly after `cut_after` chunks (default: before its last content), without
                             `[DONE]` and without a finish_reason; no effect on a plain answer
        error_event          a stream ends with an error object after `cut_after` chunks (default: half of them); no effect
                             on a plain answer; `bare`: without `data:`, as gateways send it
        pass_through         no fault: lets a request through before the next fault
    Both kinds take `delay`, in seconds before the answer, and `headers`, which are added to it.

    `match` is a prefix of the paths that are affected. `times` is the number of requests affected, None for all.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | dict[str, Any] | bytes | None = None
    delay: float = 0.0
    drop: Literal["before_headers", "mid_body"] | None = None
    malformed: bool = False
    empty: bool = False
    html: bool = False
    cut_after: int | None = None
    no_done: bool = False
    error_event: bool = False
    bare: bool = False
    echo_key: bool = False
    hang: bool = False
    pass_through: bool = False
    match: str | None = None
    times: int | None = 1

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        replaces = [name for name in ("malformed", "empty", "html", "echo_key") if getattr(self, name)]
        if self.body is not None:
            replaces.append("body")
        answers = [name for name in ("no_done", "error_event", "pass_through", "hang") if getattr(self, name)]
        if self.drop is not None:
            answers.append("drop")
        if self.cut_after is not None and not (self.no_done or self.error_event):
            answers.append("cut_after")
        if replaces or self.status is not None:
            answers.append(replaces[0] if replaces else "status")
        if len(replaces) > 1 or len(answers) > 1:
            raise ValueError(f"one fault cannot combine {', '.join(dict.fromkeys(replaces + answers))}")
        if self.bare and not self.error_event:
            raise ValueError("bare needs error_event")
        if not answers and not self.delay and not self.headers:
            raise ValueError("the fault has no effect: set pass_through=True if that is intended")
        if self.status is not None and not 200 <= self.status <= 599:  # noqa: PLR2004 - final statuses of HTTP
            raise ValueError(f"status must be between 200 and 599, not {self.status}")
        if self.delay < 0 or (self.cut_after or 0) < 0 or (self.times is not None and self.times < 1):
            raise ValueError("a fault needs a delay and cut_after of at least 0, and times of at least 1")

    @classmethod
    def rate_limited(cls, retry_after: float | None = None, *, times: int | None = 1) -> Self:
        """A 429: the requests per minute are used up. Mistral sends no Retry-After; gateways do (`retry_after`, in seconds)."""
        headers = {"x-ratelimit-limit-req-minute": "100", "x-ratelimit-remaining-req-minute": "0"}
        if retry_after is not None:
            headers["retry-after"] = f"{retry_after:g}"
        return cls(status=429, headers=headers, times=times)

    @classmethod
    def not_on_plan(cls, *, times: int | None = 1) -> Self:
        """A 429 whose limit is 0: the plan does not include the model, and waiting will not help."""
        headers = {"x-ratelimit-limit-req-minute": "0", "x-ratelimit-remaining-req-minute": "0"}
        return cls(status=429, headers=headers, times=times)

    @classmethod
    def capacity(cls, *, backend: bool = False, code: str | None = "3505", times: int | None = 1) -> Self:
        """A 429: Mistral has no capacity for the service tier, or with `backend` for the model. `code` None: only the message says so."""
        message, kind = "Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded"
        if backend:
            message = "Not enough capacity available for this request, please retry later."
            kind = "backend_out_of_capacity"
        if code is None:
            kind = "invalid_request_error"
        return cls(
            status=429,
            body=error_body(429, message, kind, code),
            times=times,
        )

    @classmethod
    def batch_too_large(cls, *, times: int | None = 1) -> Self:
        """A 400: too many tokens for one embeddings request, as older deployments and gateways report it."""
        message = "Too many tokens in batch. Max is 16384 got 17555"
        return cls(
            status=400,
            body=error_body(400, message, "invalid_request_error"),
            times=times,
        )

    @classmethod
    def error_in_ok(cls, *, times: int | None = 1) -> Self:
        """An error inside a 200."""
        message = "Tool call id was ee61 but must be a-z, A-Z, 0-9, with a length of 9."
        return cls(
            status=200,
            body=error_body(400, message, "invalid_function_call", "3280"),
            times=times,
        )

    @classmethod
    def json_in_message(cls, text: str = "a prompt", *, times: int | None = 1) -> Self:
        """A 422 whose message is JSON with the details, which repeat the caller's input (`text`)."""
        detail = {
            "type": "string_type",
            "loc": ["body", "messages", 0, "content"],
            "msg": "Input should be a valid string",
            "input": text,
        }
        message = compact({"detail": [detail]})
        return cls(
            status=422,
            body=error_body(422, message, "internal_error_proxy", "1000"),
            times=times,
        )

    @classmethod
    def plain_text(cls, status: int = 503, text: str = "upstream connect error", *, times: int | None = 1) -> Self:
        """A body of plain text instead of JSON."""
        return cls(
            status=status,
            body=text,
            headers={"content-type": "text/plain"},
            times=times,
        )

    @classmethod
    def wrong_address(cls, *, times: int | None = 1) -> Self:
        """A 404 for an unknown path rather than for a missing object."""
        return cls(
            status=404,
            body={"detail": "Not Found"},
            times=times,
        )

    @classmethod
    def edge_block(cls, *, times: int | None = 1) -> Self:
        """A 403 page from Cloudflare, which says nothing about the key or the plan."""
        page = (
            "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body></body></html>"
        )
        return cls(
            status=403,
            body=page,
            headers={"content-type": "text/html"},
            times=times,
        )

    @classmethod
    def file_not_known_yet(cls, *, times: int | None = 1) -> Self:
        """A 404 for a file that was uploaded a moment ago."""
        return cls(
            status=404,
            body={"detail": "File not found"},
            times=times,
        )

    @classmethod
    def tier_not_allowed(cls, *, times: int | None = 1) -> Self:
        """A 403: the key is valid, but the plan does not include this model."""
        return cls(status=403, times=times)

    @classmethod
    def labs_not_enabled(cls, *, times: int | None = 1) -> Self:
        """A 403: the organisation has not opted in to Labs models."""
        message = "Labs models are not enabled for this organization"
        return cls(
            status=403,
            body=error_body(403, message, "labs_not_enabled", "1913"),
            times=times,
        )

    @classmethod
    def guardrail_blocked(cls, *, times: int | None = 1) -> Self:
        """A 403: a guardrail blocked the input."""
        return cls(status=403, body=dict(GUARDRAIL_BLOCK), times=times)

    @classmethod
    def invalid_model(cls, model: str, *, times: int | None = 1) -> Self:
        """A 400: an unknown or retired model."""
        return cls(
            status=400,
            body=error_body(400, f"Invalid model: {model}", "invalid_model", "1500"),
            times=times,
        )

    @classmethod
    def bad_gateway(cls, status: int = 502, *, times: int | None = 1) -> Self:
        """An HTML error page from the proxy: 502, 503, 504, 520 to 524."""
        return cls(status=status, html=True, times=times)

    @property
    def interruption(self) -> Interruption:
        """Where the real answer is interrupted."""
        ends = self.no_done or self.error_event
        cut = self.drop == "mid_body" or (self.cut_after is not None and not ends)
        return Interruption(
            cut=cut, after=self.cut_after, no_done=self.no_done, error_event=self.error_event, bare=self.bare
        )

    def replacement(self, request: Received) -> Reply | None:
        """The answer that replaces the real one, if this fault has one."""
        status = self.status or 200
        json_type = {"content-type": "application/json"}
        reply: Reply | None = None

        if self.malformed:
            reply = Reply(status, b'{"id":"sandbox","object":"chat.comple', json_type)
        elif self.empty:
            reply = Reply(status, b"", {"content-length": "0"})
        elif self.html:
            reply = html_reply(status)
        elif self.echo_key:
            status = self.status or 400
            message = f"Cannot use the header Authorization: {request.headers.get('authorization', '')}"
            reply = json_reply(error_body(status, message, "invalid_request_error"), status)
        elif isinstance(self.body, dict):
            reply = json_reply(self.body, status)
        elif isinstance(self.body, str):
            reply = Reply(status, self.body.encode(), json_type)
        elif self.body is not None:
            reply = Reply(status, self.body, json_type)
        elif self.status is not None:
            reply = usual_reply(self.status)
        return reply


class FaultPlan:
    """The planned faults, first in first out."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __len__(self) -> int:
        return len(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def append(self, fault: Fault) -> None:
        """Plan one more fault."""
        self._faults.append(fault)

    def extend(self, faults: Iterable[Fault]) -> None:
        """Plan more faults, in this order."""
        self._faults.extend(faults)

    def clear(self) -> None:
        """Remove all planned faults."""
        self._faults.clear()

    def take(self, path: str) -> Fault | None:
        """Take the next fault that matches this path, and count it as used once."""
        for index, fault in enumerate(self._faults):
            if path.startswith(fault.match or ""):
                if fault.times == 1:
                    del self._faults[index]
                elif fault.times is not None:
                    self._faults[index] = replace(fault, times=fault.times - 1)
                return fault
        return None
