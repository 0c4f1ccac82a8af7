"""Every error that we raise on purpose, and the text that the model reads.

MistralMcpError
├── BadSetting            a setting that cannot be used; stops the start
├── BadArgument           a caller's argument, rejected before any request
├── CredentialError       no usable key for this request
│   ├── MissingCredential
│   ├── AmbiguousCredential
│   ├── RefusedCredential
│   ├── InsufficientScope     an access token that may not do what is asked
│   ├── RevokedOrExpired      a connection that was revoked, has expired, or whose token was replaced
│   ├── SignupRefused         this server creates no connections, or only with the code
│   └── TooManyFailures       wrong credentials, too often from one address
├── CannotInstall         a host's file that cannot be changed safely; it stays as it is
├── VaultUnavailable      the database of connections is unavailable
├── NothingSelected       a request that selects no toolset it may have
├── UnknownResult         a handle of a kept result that this caller does not have
├── ExpiredResult         a kept result that expired or was used up
├── UnknownUpload         a link for files that this caller does not have
├── ExpiredUpload         such a link that expired, or was used up or revoked
├── ResultTooLarge        more than may be kept
├── ResultTooLong         more than may be shown; it is kept
├── BudgetSpent           the connection's budget, or the operator's ceiling, is used up
├── UnsupportedByRoute    the configured route does not support this call
└── UpstreamError         Mistral, or a gateway in front of it, failed or refused
    ├── InvalidApiKey         401
    ├── NotAllowed            403: plan, labs opt-in, guardrail
    ├── UnknownModel          a model that does not exist or has been retired
    ├── NotFound              404 of anything else
    ├── Retired               410: Mistral no longer offers it
    ├── RequestRefused        400 and 422: which field is invalid, and why
    │   └── TooManyInputs         3210: the caller must split the inputs
    ├── RateLimited           429, and waits that cannot fit the deadline
    ├── PaymentRequired       402 and spend limits
    ├── TimedOut              our deadline
    ├── AnswerMismatch        an answer that does not match the requested schema
    ├── ReplyTooLarge         a reply larger than the call allows
    ├── LocalNetworkError     this machine's proxy, certificates or name resolution
    └── Unavailable           5xx, dropped connections, replies that cannot be read

A message is one sentence of what happened and one of what to do. Facts are attributes; nobody parses the text.
"""

from mistral_mcp.errors.base import (
    MistralMcpError,
    one_of,
)
from mistral_mcp.errors.local import (
    AmbiguousCredential,
    BadArgument,
    BadSetting,
    BudgetSpent,
    CannotInstall,
    CredentialError,
    ExpiredResult,
    ExpiredUpload,
    InsufficientScope,
    MissingCredential,
    NothingSelected,
    RefusedCredential,
    ResultTooLarge,
    ResultTooLong,
    RevokedOrExpired,
    SignupRefused,
    TooManyFailures,
    UnknownResult,
    UnknownUpload,
    UnsupportedByRoute,
    VaultUnavailable,
)
from mistral_mcp.errors.upstream import (
    AnswerMismatch,
    InvalidApiKey,
    LocalNetworkError,
    NotAllowed,
    NotFound,
    PaymentRequired,
    RateLimited,
    ReplyTooLarge,
    RequestRefused,
    Retired,
    TimedOut,
    TooManyInputs,
    Unavailable,
    UnknownModel,
    UpstreamError,
)

__all__ = [
    "AmbiguousCredential",
    "AnswerMismatch",
    "BadArgument",
    "BadSetting",
    "BudgetSpent",
    "CannotInstall",
    "CredentialError",
    "ExpiredResult",
    "ExpiredUpload",
    "InsufficientScope",
    "InvalidApiKey",
    "LocalNetworkError",
    "MissingCredential",
    "MistralMcpError",
    "NotAllowed",
    "NotFound",
    "NothingSelected",
    "PaymentRequired",
    "RateLimited",
    "RefusedCredential",
    "ReplyTooLarge",
    "RequestRefused",
    "ResultTooLarge",
    "ResultTooLong",
    "Retired",
    "RevokedOrExpired",
    "SignupRefused",
    "TimedOut",
    "TooManyFailures",
    "TooManyInputs",
    "Unavailable",
    "UnknownModel",
    "UnknownResult",
    "UnknownUpload",
    "UnsupportedByRoute",
    "UpstreamError",
    "VaultUnavailable",
    "one_of",
]
