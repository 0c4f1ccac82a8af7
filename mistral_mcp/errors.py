"""Everything that can go wrong on purpose, and what the model reads of it.

MistralMcpError
├── BadSetting            a setting that cannot be used; stops the start
├── BadArgument           a caller's argument, refused before any request
├── CredentialError       no usable key for this request
│   ├── MissingCredential
│   ├── AmbiguousCredential
│   ├── RefusedCredential
│   ├── InsufficientScope     an access token that may not do what is asked
│   ├── RevokedOrExpired      a connection that was revoked, has expired, or whose token was replaced
│   ├── SignupRefused         no connections are made here, or not without the code
│   └── TooManyFailures       wrong credentials, too often from one address
├── CannotInstall         a host's file that cannot be changed safely; it stays as it is
├── VaultUnavailable      the database of connections is away
├── NothingSelected       a request that selects no toolset it may have
├── UnknownResult         a handle of a kept result that this caller does not have
├── ExpiredResult         a kept result whose time is over, or that was used up
├── ResultTooLarge        more than may be kept
├── ResultTooLong         more than may be shown; it is kept
├── BudgetSpent           the connection's budget, or the operator's ceiling, is used up
├── UnsupportedByRoute    the configured route has no way for this call
└── UpstreamError         Mistral, or a gateway in front of it, failed or refused
    ├── InvalidApiKey         401
    ├── NotAllowed            403: plan, labs opt-in, guardrail
    ├── UnknownModel          a model that does not exist or has been retired
    ├── NotFound              404 of anything else
    ├── Retired               410: Mistral offers it no more
    ├── RequestRefused        400 and 422: which field, and why
    │   └── TooManyInputs         3210: the caller's part must be split
    ├── RateLimited           429, and waits that cannot fit the deadline
    ├── PaymentRequired       402 and spend limits
    ├── TimedOut              our deadline
    ├── AnswerMismatch        an answer that does not fit the schema it was asked for
    ├── ReplyTooLarge         more than the call takes in
    ├── LocalNetworkError     this machine's proxy, certificates or name resolution
    └── Unavailable           5xx, dropped connections, replies that cannot be read

A message is one sentence of what happened and one of what to do. Facts are attributes; nobody parses the text.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal


class MistralMcpError(Exception):
    """The root. `str()` is what the model reads: no secret, no upstream body, no input of the caller's."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".strip()


class BadSetting(MistralMcpError):
    """Raised while settings are read; `cli` prints it as one sentence and exits with 2."""


class BadArgument(MistralMcpError):
    """Raised by a tool, or for it by the seam, before any request; the model can mend the call."""


class CredentialError(MistralMcpError):
    """Raised by a credential source. `status` is what the HTTP front answers where no tool runs."""

    status = 401
    retry_after: float | None = None  # seconds
    challenge: str | None = None
    """`WWW-Authenticate` of the answer; None: what the status asks for."""


class MissingCredential(CredentialError):
    """No key at all: stdio still lists tools, HTTP answers 401."""


class AmbiguousCredential(CredentialError):
    """Two different credentials in one request: nobody should have to guess whose money is spent."""

    status = 400


class RefusedCredential(CredentialError):
    """A token of ours that does not exist, or one whose shape belongs to somebody else; never sent upstream."""


class InsufficientScope(CredentialError):
    """Raised by `hosting.web.resolvers`: the access token is good, and was not granted what this call does."""

    status = 403


class RevokedOrExpired(CredentialError):
    """Raised by `hosting.vault`: a token of ours that was good once. Saying so reveals nothing to whoever never had it.

    Where it is known, `reason` and `when` tell pages what they say in their own words.
    """

    status = 410

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        reason: Literal["revoked", "expired", "replaced"] = "revoked",
        when: datetime | None = None,
    ) -> None:
        super().__init__(what, advice)
        self.reason = reason
        self.when = when


class TooManyFailures(CredentialError):
    """Raised by `hosting.app`: an address whose credentials failed too often. A valid token is never refused so."""

    status = 429

    def __init__(self, retry_after: float, what: str = "") -> None:
        wait = f"Try again in {retry_after / 60:.0f} minutes." if retry_after > 90 else "Try again in a minute."  # noqa: PLR2004 - seconds
        super().__init__(what or "Too many wrong credentials came from this address.", wait)
        self.retry_after = retry_after


class SignupRefused(CredentialError):
    """Raised by `hosting.connect`: whoever asks may not make a connection here."""

    status = 403


class CannotInstall(MistralMcpError):
    """Raised by `install` for a host's file that cannot be read, or not changed without losing something in it."""

    def __init__(self, what: str, advice: str = "", *, by_hand: bool = False) -> None:
        super().__init__(what, advice)
        self.by_hand = by_hand
        """A person can put the entry in, and is shown it."""


class VaultUnavailable(MistralMcpError):
    """Raised by `hosting`: the database cannot be used just now, or lacks a master key. HTTP answers `status`."""

    status = 503
    retry_after = 5
    """Seconds."""


class NothingSelected(MistralMcpError):
    """Raised by `selection`."""

    status = 400
    retry_after = None


class UnknownResult(MistralMcpError):
    """Raised by a `ResultStore`: no result of this caller has the handle. A download answers `status`."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "There is no kept result with this handle.",
            "Take the handle from `kept` of an earlier result, or run that tool again.",
        )


class ExpiredResult(MistralMcpError):
    """Raised by a `ResultStore`: the result was kept, and is no longer. A download answers `status`."""

    status = 410

    def __init__(self) -> None:
        super().__init__("This result is no longer kept.", "Run the tool again that made it.")


class UnknownUpload(MistralMcpError):
    """Raised by `UploadLinks`: there is no such link, or it is another connection's."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such upload link.", "Ask for a new one with mistral_request_upload.")


class ExpiredUpload(MistralMcpError):
    """Raised by `UploadLinks`: the link is past its time, used up or revoked."""

    status = 410

    def __init__(self) -> None:
        super().__init__("This upload link has ended.", "Ask for a new one with mistral_request_upload.")


class ResultTooLarge(MistralMcpError):
    """Raised by a `ResultStore`."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The result has {size / 1024 / 1024:.0f} MB, and at most {limit // 1024 // 1024} MB are kept.",
            "Ask for less at once.",
        )


class ResultTooLong(MistralMcpError):
    """Raised at the seam. `where` says where all of the result is kept."""

    def __init__(self, size: int, where: str) -> None:
        super().__init__(f"The result has {size:,} bytes, more than can be shown at once.", where)


class UnsupportedByRoute(MistralMcpError):
    """Raised by `mistral.routes` before any request: the route has no such path."""


class BudgetSpent(MistralMcpError):
    """Raised before a call begins; the text says when the budget begins anew, and where to change it."""

    code = "budget_spent"
    retry_after: float | None = None  # seconds


class UpstreamError(MistralMcpError):
    """A request that failed at Mistral or on the way. Raised by `mistral.client` only.

    `partial` is the text a broken stream had brought before it broke.
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
            return f"{text}\n\nWhat had come before it broke:\n{self.partial}"
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
    """410: a call that Mistral has retired, and what stands in its place."""


class RequestRefused(UpstreamError):
    """400 or 422: Mistral's own reason, with the field it names."""


class TooManyInputs(RequestRefused):
    """400 code 3210: more inputs or tokens than one embedding request takes."""


class RateLimited(UpstreamError):
    """429, or a wait for one's turn that the deadline does not allow. `retry_after` says when to come back."""


class PaymentRequired(UpstreamError):
    """402, or a spend limit: trying again cannot help."""


class TimedOut(UpstreamError):
    """The call's own deadline passed, waits and attempts included."""


class AnswerMismatch(UpstreamError):
    """The model answered, but not what the caller's schema asks. Raised by tools; `partial` is the whole answer."""


class ReplyTooLarge(UpstreamError):
    """Raised by `mistral.client` for a reply of more bytes than its call allows; the rest of it was not read."""


class LocalNetworkError(UpstreamError):
    """This machine's network is at fault, not Mistral: an untrusted certificate, an unknown name, a proxy that refuses."""


class Unavailable(UpstreamError):
    """5xx, a dropped connection, a stream cut short, or a reply that is not what it should be."""


def one_of(names: Sequence[str]) -> str:
    """`a, b or c`, for sentences that name the alternatives."""
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
