"""What goes wrong here, before or beside any request to Mistral."""

from datetime import datetime
from typing import Literal

from mistral_mcp.errors.base import MistralMcpError


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
