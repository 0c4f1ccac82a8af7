"""Failures at Mistral, or on the way there."""

from mistral_mcp.errors.base import MistralMcpError


class UpstreamError(MistralMcpError):
    """A request that failed at Mistral or on the way. Raised by `mistral.client` only.

    `partial` is the text received before a stream broke.
    """

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        correlation_id: str | None = None,
        attempts: int = 1,
        retry_after: float | None = None,  # seconds
        partial: str = "",
    ) -> None:
        super().__init__(what, advice)
        self.status = status
        self.code = code
        self.correlation_id = correlation_id
        self.attempts = attempts
        self.retry_after = retry_after
        self.partial = partial

    def __str__(self) -> str:
        if self.status:
            facts = [f"HTTP {self.status}"]
        else:
            facts = []
        facts += [f"code {self.code}"] if self.code else []
        facts += [f"{self.attempts} attempts"] if self.attempts > 1 else []
        facts += [f"correlation id {self.correlation_id}"] if self.correlation_id else []
        text = super().__str__() + (f" ({', '.join(facts)})" if facts else "")
        if self.partial:
            return f"{text}\n\nReceived before it broke:\n{self.partial}"
        return text


class InvalidApiKey(UpstreamError):
    """401: names where the key came from, never the key."""


class NotAllowed(UpstreamError):
    """403, or a 429 whose limit is 0: the key is fine; the plan, an opt-in or a guardrail is not."""


class UnknownModel(UpstreamError):
    """400 code 1500 on inference, 404 on a model look-up: unknown or retired."""


class NotFound(UpstreamError):
    """404 of a file, job, conversation…"""


class Retired(UpstreamError):
    """410: an endpoint that Mistral has retired, and what replaces it."""


class RequestRefused(UpstreamError):
    """400 or 422: Mistral's own reason, with the field that it names."""


class TooManyInputs(RequestRefused):
    """400 code 3210: more inputs or tokens than one embedding request takes."""


class RateLimited(UpstreamError):
    """429, or a queue longer than the deadline. `retry_after` says when to retry, in seconds."""


class PaymentRequired(UpstreamError):
    """402, or a spend limit: retrying does not help."""


class TimedOut(UpstreamError):
    """The call's own deadline passed, waits and attempts included."""


class AnswerMismatch(UpstreamError):
    """The model's answer does not match the caller's schema. Raised by tools; `partial` is the whole answer."""


class ReplyTooLarge(UpstreamError):
    """Raised by `mistral.client` for a reply larger than its call allows; the rest of it was not read."""


class LocalNetworkError(UpstreamError):
    """This machine's network is at fault, not Mistral: an untrusted certificate, an unknown name, a proxy that refuses."""


class Unavailable(UpstreamError):
    """5xx, a dropped connection, a stream cut short, or an unreadable reply."""
