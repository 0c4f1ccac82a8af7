"""Errors of this server itself, without a request to Mistral."""

from datetime import datetime
from typing import Literal

from mistral_mcp.errors.base import MistralMcpError


class BadSetting(MistralMcpError):
    """Raised while settings are read; `cli` prints it as one sentence and exits with 2."""


class BadArgument(MistralMcpError):
    """Raised by a tool, or for it by the adapter, before any request; the model can correct the call."""


class CredentialError(MistralMcpError):
    """Raised by a credential source. `status` is the HTTP status if the request does not reach a tool."""

    status = 401
    retry_after: float | None = None  # seconds
    challenge: str | None = None
    """The response's `WWW-Authenticate`; None: the default for the status."""


class MissingCredential(CredentialError):
    """No key at all: stdio still lists tools, HTTP answers 401."""


class AmbiguousCredential(CredentialError):
    """Two different credentials in one request: it would be a guess whose money is spent."""

    status = 400


class RefusedCredential(CredentialError):
    """An unknown token of this server, or what looks like another service's credential; never sent upstream."""


class InsufficientScope(CredentialError):
    """Raised by `hosting.web.resolvers`: the access token is valid, but its scope does not cover this call."""

    status = 403


class RevokedOrExpired(CredentialError):
    """Raised by `hosting.vault`: a token that used to be valid. Saying so reveals nothing to callers who never had it.

    `reason` and `when`, where known, let pages use their own texts.
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
    """Raised by `hosting.app`: too many failed credentials from an address. A valid token is never refused for this."""

    status = 429

    def __init__(self, retry_after: float, what: str = "") -> None:
        wait = f"Try again in {retry_after / 60:.0f} minutes." if retry_after > 90 else "Try again in a minute."  # noqa: PLR2004 - seconds
        super().__init__(what or "Too many wrong credentials came from this address.", wait)
        self.retry_after = retry_after


class SignupRefused(CredentialError):
    """Raised by `hosting.connect`: this person may not create a connection here."""

    status = 403


class CannotInstall(MistralMcpError):
    """Raised by `install` for a host's file that cannot be read, or cannot be changed without losing content."""

    def __init__(self, what: str, advice: str = "", *, by_hand: bool = False) -> None:
        super().__init__(what, advice)
        self.by_hand = by_hand
        """Whether to show the entry, for a person to add by hand."""


class VaultUnavailable(MistralMcpError):
    """Raised by `hosting`: the database is unavailable, or a master key is missing. `status` is the HTTP status."""

    status = 503
    retry_after = 5
    """Seconds."""


class NothingSelected(MistralMcpError):
    """Raised by `selection`."""

    status = 400
    retry_after = None


class UnknownResult(MistralMcpError):
    """Raised by a `ResultStore`: this caller has no result with the handle. `status` is that of a download."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "There is no kept result with this handle.",
            "Take the handle from `kept` of an earlier result, or run that tool again.",
        )


class ExpiredResult(MistralMcpError):
    """Raised by a `ResultStore`: the result has expired. `status` is that of a download."""

    status = 410

    def __init__(self) -> None:
        super().__init__("This result is no longer kept.", "Run the tool again that made it.")


class UnknownUpload(MistralMcpError):
    """Raised by `UploadLinks`: there is no such link, or it is another connection's."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such upload link.", "Ask for a new one with mistral_request_upload.")


class ExpiredUpload(MistralMcpError):
    """Raised by `UploadLinks`: the link has expired, is used up or was revoked."""

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
    """Raised by the adapter. `where` says where the whole result is stored."""

    def __init__(self, size: int, where: str) -> None:
        super().__init__(f"The result has {size:,} bytes, more than can be shown at once.", where)


class UnsupportedByRoute(MistralMcpError):
    """Raised by `mistral.routes` before any request: the route does not offer the path."""


class BudgetSpent(MistralMcpError):
    """Raised before a call begins; the text says when the budget resets, and where to change it."""

    code = "budget_spent"
    retry_after: float | None = None  # seconds
