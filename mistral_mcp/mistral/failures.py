"""Turns failed replies and exceptions into `errors`: which kind of failure each is, with its message.

Of a body only a one-line reason is passed on, made safe by `quoting`; of an exception only its type, because its text
may hold a URL.
"""

import math
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

import httpx2

from mistral_mcp.errors import UpstreamError
from mistral_mcp.mistral import failure_messages as kinds
from mistral_mcp.mistral.error_bodies import (
    ErrorBody,
    is_error,
    json_object,
    read_error_body,
    read_error_event,
    status_in,
)
from mistral_mcp.mistral.failure_messages import FailureKind
from mistral_mcp.mistral.quoting import quote, quote_token
from mistral_mcp.mistral.retry_after import retry_after
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.route import GATEWAYS

NEVER_ARRIVED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Exceptions that httpx2 raises before it sends anything: Mistral cannot have seen the request."""

CHECK_FIRST = kinds.CHECK_FIRST

_TRANSIENT = frozenset({429, 500, 502, 503, 504, *range(520, 525)})
_CORRELATION = ("mistral-correlation-id", "x-kong-request-id", "cf-ray", "x-lava-request-id")
_NAMED_MODEL = re.compile(r"(?:Invalid model:|Model) (\S+)")
_LIMIT_HEADER = re.compile(r"(x-)?ratelimit(bysize)?-limit\b.*")
_TWO_MINUTES = 120  # seconds


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed reply, parsed and classified."""

    kind: FailureKind
    body: ErrorBody
    status: int | None
    """None for an error inside of a successful reply that states none."""
    headers: httpx2.Headers

    @property
    def is_transient(self) -> bool:
        """Whether it may pass by itself, unlike a limit of 0, a spend limit, a plan, or a rule of a gateway."""
        return self.status in _TRANSIENT and self.kind in (kinds.DOWN, kinds.THROTTLED, kinds.CAPACITY)


def failure_of(response: httpx2.Response, exchange: Exchange) -> Failure:
    """The failure of an unsuccessful reply. The response must have been read."""
    body = read_error_body(response)
    kind = _kind(response.status_code, response.headers, body, exchange)
    return Failure(kind, body, response.status_code, response.headers)


def failure_in(content: bytes, exchange: Exchange) -> Failure | None:
    """The failure in place of an answer or a part of one; None if the content is not an error."""
    found = json_object(content)
    if not is_error(found):
        return None
    status, body, headers = status_in(found), read_error_event(found), httpx2.Headers()
    return Failure(_kind(status, headers, body, exchange), body, status, headers)


def error_of(failure: Failure, exchange: Exchange) -> UpstreamError:
    """The error to raise for a failure."""
    return _error(failure.kind, exchange, failure, in_doubt=failure.kind is kinds.DOWN)


def malformed_reply(response: httpx2.Response, exchange: Exchange) -> UpstreamError:
    """The error for an unreadable reply with a successful status. The response must have been read."""
    body = ErrorBody(mistral=True, reason=_looks(response.content))
    failure = Failure(kinds.MALFORMED, body, response.status_code, response.headers)
    return _error(kinds.MALFORMED, exchange, failure, in_doubt=True)


def broken_answer(exchange: Exchange, what: str) -> UpstreamError:
    """The error for an answer that broke off or is unusable."""
    return _error(kinds.BROKEN_ANSWER._replace(what=what), exchange, in_doubt=True)


def too_large(exchange: Exchange) -> UpstreamError:
    """The error for a reply larger than its call allows."""
    megabytes = f"{exchange.max_bytes / 1024 / 1024:.0f} MB"
    return _error(
        kinds.TOO_LARGE_A_REPLY._replace(what=kinds.TOO_LARGE_A_REPLY.what.replace("{size}", megabytes)),
        exchange,
        in_doubt=False,
    )


def connection_error(error: httpx2.HTTPError | httpx2.StreamError, exchange: Exchange) -> UpstreamError:
    """The error for an exchange without a complete reply: no connection, or it broke."""
    kind = _local_kind(error)
    if kind is not None:
        return _error(kind, exchange, in_doubt=False)
    what = next(kinds.DROPPED[cause] for cause in type(error).__mro__ if cause in kinds.DROPPED)
    if isinstance(error, kinds.UNSENDABLE):
        return _error(kinds.UNSENT._replace(what=what), exchange, in_doubt=False)
    return _error(kinds.CONNECTION._replace(what=what), exchange, in_doubt=not isinstance(error, NEVER_ARRIVED))


def timeout_error(exchange: Exchange, seconds: float) -> UpstreamError:
    """The error for a call whose own deadline, of so many seconds, has passed."""
    if exchange.queued:
        kind = kinds.NO_TURN
    elif exchange.progress is None:
        kind = kinds.TIMED_OUT
    else:
        kind = kinds.TIMED_OUT_LISTENED_TO
    kind = kind._replace(what=kind.what.replace("{seconds}", f"{seconds:g}"))
    return _error(kind, exchange, in_doubt=not exchange.queued)


def is_hopeless(error: BaseException) -> bool:
    """Whether another attempt would only raise the same again: the request itself, or this machine's network."""
    return isinstance(error, kinds.UNSENDABLE) or _local_kind(error) is not None


def _local_kind(error: BaseException) -> FailureKind | None:
    """What is wrong with this machine's network; None where the other end may be at fault."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return kinds.UNTRUSTED_CERTIFICATE
        if isinstance(cause, httpx2.ProxyError):
            return kinds.PROXY_REFUSED
        if isinstance(cause, socket.gaierror):
            return kinds.UNRESOLVED_NAME
    return None


def _causes(error: BaseException) -> Iterable[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _kind(status: int | None, headers: httpx2.Headers, body: ErrorBody, exchange: Exchange) -> FailureKind:
    if body.gateway:
        found = kinds.GATEWAY_BY_CODE.get(body.code) or kinds.GATEWAY_BY_STATUS.get(status)
    elif body.page:
        found = kinds.PAGE_BY_STATUS.get(status)
    elif status == HTTPStatus.TOO_MANY_REQUESTS and _limit_is_zero(headers):
        found = kinds.LIMIT_ZERO
    else:
        found = kinds.BY_CODE.get(body.code) or _kind_by_words(status, body.reason)
        found = found or kinds.BY_CODE.get(body.type) or kinds.BY_STATUS.get(status)
    return _of_this_call(found or _by_class(status, body), body, exchange)


def _kind_by_words(status: int | None, reason: str) -> FailureKind | None:
    """The kind by the wording of the reason, if a code is missing."""
    for statuses, words, kind in kinds.BY_WORDS:
        if (status is None or status in statuses) and words.search(reason):
            return kind
    return None


def _by_class(status: int | None, body: ErrorBody) -> FailureKind:
    if status is None:
        if body.type.startswith("invalid"):
            return kinds.INVALID
        return kinds.DOWN
    if status < HTTPStatus.BAD_REQUEST:
        return kinds.REDIRECT
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return kinds.INVALID
    return kinds.DOWN


def _of_this_call(kind: FailureKind, body: ErrorBody, exchange: Exchange) -> FailureKind:
    """The kind, refined by the source of the key and by the call."""
    if kind is kinds.KEY:
        if exchange.caller.key is None:
            return kinds.STORED_KEY
        if "/fim/" in exchange.operation and exchange.caller.route.kind == "direct":
            return kinds.KEY_FOR_CODE
    if kind is kinds.WRONG_ADDRESS and "{" in exchange.operation:
        kind = kinds.MISSING  # the path has an id
    if kind is kinds.MISSING and ("/files/" in exchange.operation or "file" in body.reason.lower()):
        return kinds.MISSING_FILE
    if kind is kinds.RETIRED and "/fine_tuning/" in exchange.operation:
        return kinds.RETIRED_FINE_TUNING
    return kind


def _limit_is_zero(headers: httpx2.Headers) -> bool:
    return any(value.strip() == "0" and _LIMIT_HEADER.fullmatch(name) for name, value in headers.items())


def _looks(content: bytes) -> str:
    start = content.strip()[:1]
    if not start:
        return "it is empty"
    if start == b"<":
        return "it is a web page"
    return "it has an unexpected shape"


def _speaker(failure: Failure | None, caller: Caller) -> str:
    """Who wrote this reply, as far as it shows."""
    here = caller.far_end
    if failure is None:
        return here
    if failure.body.gateway:
        return GATEWAYS[failure.body.gateway]
    if not caller.route.gateway_name:
        return here
    mistral = failure.body.mistral or not failure.headers.keys().isdisjoint(_CORRELATION[:2])
    if mistral:
        return "Mistral"
    return f"{here}, or Mistral behind it,"


def _error(
    kind: FailureKind, exchange: Exchange, failure: Failure | None = None, *, in_doubt: bool
) -> UpstreamError:
    """Fill in the messages. `in_doubt`: Mistral may have executed the request, so only repeatable calls may be retried."""
    caller = exchange.caller
    if failure:
        reason = quote(failure.body.reason, caller.mask)
    else:
        reason = ""
    wait = _wait(kind, failure)
    words = {
        "who": _speaker(failure, caller),
        "via": caller.route.gateway_name or "the route",
        "source": caller.source,
        "model": _model(exchange, reason),
        "because": f": {reason}" if reason else "",
        "when": _when(wait or 0),
        "tried": " in one attempt" if exchange.attempts <= 1 else "",  # more are counted by the error itself
    }
    words |= {"Who": _capital(words["who"]), "Model": _capital(words["model"])}
    if in_doubt and not exchange.repeatable:
        advice = kinds.CHECK_FIRST
    else:
        advice = kind.advice
    return kind.error(
        caller.mask.text(kind.what.format_map(words)),
        advice.format_map(words),
        status=failure.status if failure else None,
        code=quote_token(failure.body.code, caller.mask, 40) if failure else None,
        correlation_id=_correlation_id(failure.headers, caller) if failure else None,
        attempts=max(exchange.attempts, 1),
        retry_after=wait,
    )


def _wait(kind: FailureKind, failure: Failure | None) -> float | None:
    """The seconds to suggest; None if retrying does not help."""
    if failure:
        asked = retry_after(failure.headers)
    else:
        asked = None
    if kind.wait is None or asked is None:
        return kind.wait
    return asked


def _model(exchange: Exchange, reason: str) -> str:
    """The model, by the caller's and by Mistral's name for it."""
    asked = quote(exchange.model, exchange.caller.mask, 80)
    named = _NAMED_MODEL.match(reason)
    if named is None or named[1] == asked:
        if asked:
            return f"the model {asked}"
        return "this call"
    if asked:
        return f"the model {asked} (to Mistral: {named[1]})"
    return f"the model {named[1]}"


def _correlation_id(headers: httpx2.Headers, caller: Caller) -> str | None:
    found = (quote_token(headers.get(name, ""), caller.mask, 100) for name in _CORRELATION)
    return next(filter(None, found), None)


def _when(seconds: float) -> str:
    if seconds <= _TWO_MINUTES:
        return f"in {max(math.ceil(seconds), 1)} s"
    return f"in {math.ceil(seconds / 60)} minutes"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
