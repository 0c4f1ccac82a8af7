"""What went wrong, in the words of `errors`: the one parser of replies that are no success, and of what httpx2 raises.

Mistral has no single error envelope, and gateways add their own. Of a body only a one-line reason is passed on, made safe
by `_safe`; of an exception only its type, because its text may hold a URL.
"""

import math
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import cast

import httpx2
from pydantic_core import from_json

from mistral_mcp import errors
from mistral_mcp.errors import UpstreamError
from mistral_mcp.masking import mask_shapes
from mistral_mcp.mistral import failure_messages as kinds
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.route import GATEWAYS

NEVER_ARRIVED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
"""What httpx2 raises before it sends anything: Mistral cannot have seen the request."""

HOPELESS = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)
"""What another attempt would only raise again."""

_LONG = 4000  # characters of a reason that are looked at
_YEAR = 365 * 24 * 3600.0
_CORRELATION = ("mistral-correlation-id", "x-kong-request-id", "cf-ray", "x-lava-request-id")
_ADDRESS = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,20}://|data:[\w.+-]{1,50}/)\S*")
_MARKUP = re.compile(r"(?i)<(?:!|/?[a-z])")
_PASSING = frozenset({429, 500, 502, 503, 504, *range(520, 525)})
# Mistral's codes, and its types for where a code is missing.
_BY_CODE = {
    **dict.fromkeys(("1500", "invalid_model"), kinds.UNKNOWN_MODEL),
    **dict.fromkeys(("1910", "tier_not_allowed"), kinds.PLAN),
    **dict.fromkeys(("1913", "labs_not_enabled"), kinds.LABS),
    **dict.fromkeys(("3201", "guardrails"), kinds.GUARDRAIL),
    **dict.fromkeys(("3310", "invalid_request_file"), kinds.BAD_FILE),
    **dict.fromkeys(("3505", "service_tier_capacity_exceeded", "backend_out_of_capacity"), kinds.CAPACITY),
    "3210": kinds.TOO_MANY,
}
_BY_WORDS = (
    (404, re.compile(r"^Model .*is deprecated", re.DOTALL), kinds.RETIRED_MODEL),
    (404, re.compile(r"^Model .*was not found", re.DOTALL), kinds.UNKNOWN_MODEL),
    (404, re.compile(r"^no Route matched|^$"), kinds.NO_ENDPOINT),
    (400, re.compile(r"too large for model"), kinds.TOO_LONG),
    # Which status a spend limit gets is documented nowhere.
    *((status, re.compile(r"(?i)spend\w* ?limit|suspended|unpaid|invoice"), kinds.UNPAID) for status in (403, 429)),
)
_BY_STATUS = {
    401: kinds.KEY,
    402: kinds.UNPAID,
    403: kinds.FORBIDDEN,
    404: kinds.MISSING,
    408: kinds.DOWN,
    413: kinds.TOO_LARGE,
    429: kinds.THROTTLED,
}

_GATEWAY_BY_CODE = {
    **dict.fromkeys(("2001", "7003"), kinds.NO_GATEWAY),
    **dict.fromkeys(("2009", "10000"), kinds.ROUTE_TOKEN),
    **dict.fromkeys(("2016", "2017"), kinds.GATEWAY_GUARDRAIL),
    "2036": kinds.GATEWAY_FORBIDDEN,
    "2040": kinds.NO_STORED_KEY,
    "2041": kinds.UNPAID,
}
_GATEWAY_BY_STATUS = _BY_STATUS | {
    401: kinds.ROUTE_TOKEN,
    403: kinds.GATEWAY_FORBIDDEN,
    404: kinds.NO_ENDPOINT,
    429: kinds.POLICY,
}

_UNREACHED = "{Who} could not be reached"
_SILENT = "{Who} stopped answering"
_CUT = "{Who} dropped the connection before its answer was complete"
_UNREADABLE = "The answer of {who} could not be read"
_DROPPED: dict[type, str] = {
    **dict.fromkeys((httpx2.ConnectError, httpx2.ConnectTimeout), _UNREACHED),
    httpx2.ProxyError: "The proxy on the way to {who} did not let the request through",
    httpx2.PoolTimeout: "No connection to {who} became free in time",
    **dict.fromkeys((httpx2.ReadTimeout, httpx2.WriteTimeout, httpx2.TimeoutException), _SILENT),
    **dict.fromkeys((httpx2.ReadError, httpx2.WriteError, httpx2.CloseError, httpx2.NetworkError), _CUT),
    **dict.fromkeys((httpx2.RemoteProtocolError, httpx2.ProtocolError, httpx2.TransportError), _CUT),
    **dict.fromkeys((httpx2.LocalProtocolError, httpx2.UnsupportedProtocol), "The request to {who} could not be sent"),
    httpx2.SSEError: "{Who} did not answer with the stream of events that was asked for",
    httpx2.DecodingError: "{Who} sent an answer whose compression is broken",
    **dict.fromkeys((httpx2.TooManyRedirects, httpx2.RequestError), "The request to {who} failed"),
    **dict.fromkeys((httpx2.HTTPStatusError, httpx2.HTTPError), "The exchange with {who} failed"),
    **dict.fromkeys((httpx2.StreamConsumed, httpx2.StreamClosed, httpx2.StreamError), _UNREADABLE),
    **dict.fromkeys((httpx2.ResponseNotRead, httpx2.RequestNotRead), _UNREADABLE),
}


@dataclass(frozen=True, slots=True)
class _Body:
    """What the body of an error says. Nothing in it is safe to show."""

    gateway: str | None = None
    """The gateway that wrote it; None for Mistral."""
    mistral: bool = False
    """Whether it looks as Mistral's bodies do."""
    code: str = ""
    type: str = ""
    reason: str = ""


def error_from_response(response: httpx2.Response, exchange: Exchange) -> UpstreamError:
    """The error for a reply that is no success. The response must have been read."""
    body = _read(response)
    kind = _kind(response, body)
    if kind is kinds.KEY and exchange.caller.key is None:
        kind = kinds.STORED_KEY
    return _error(kind, exchange, response, body, in_doubt=kind is kinds.DOWN)


def error_from_event(data: str, exchange: Exchange) -> UpstreamError | None:
    """The error, where an event of a stream is one rather than a piece of the answer."""
    raw = data.encode(errors="replace")
    content = _object(raw)
    told = str(content.get("object")).lower() == "error" or str(content.get("type")).endswith(".error")
    if "choices" in content or not (told or "error" in content):
        return None
    status = content.get("raw_status_code", content.get("code"))
    # The reply had begun with 200: unless the event knows better, Mistral has failed.
    known = status if isinstance(status, int) and 400 <= status <= 599 else 500  # noqa: PLR2004 - what errors have
    return error_from_response(httpx2.Response(known, content=raw), exchange)


def malformed_reply(response: httpx2.Response, exchange: Exchange) -> UpstreamError:
    """The error for a reply that calls itself a success and cannot be read. The response must have been read."""
    start = response.content.strip()[:1]
    looks = "it is empty" if not start else "it is a web page" if start == b"<" else "it is not what was due"
    return _error(kinds.MALFORMED, exchange, response, _Body(reason=looks, mistral=True), in_doubt=True)


def connection_error(error: httpx2.HTTPError | httpx2.StreamError, exchange: Exchange) -> UpstreamError:
    """The error for an exchange without a whole reply: nobody was reached, or the connection broke."""
    what = next((_DROPPED[kind] for kind in type(error).__mro__ if kind in _DROPPED), _DROPPED[httpx2.HTTPError])
    kind = kinds.FailureKind(errors.Unavailable, what + "{tried}.", kinds.AGAIN, wait=30)
    if isinstance(error, HOPELESS):
        kind = kind._replace(advice="Trying again cannot help: check the key and MISTRAL_MCP_ROUTE.", wait=None)
    return _error(kind, exchange, None, _Body(), in_doubt=not isinstance(error, NEVER_ARRIVED + HOPELESS))


def timeout_error(exchange: Exchange, seconds: float) -> UpstreamError:
    """The error for a call whose own deadline, of so many seconds, has passed."""
    due = kinds.TIMED_OUT if exchange.progress is None else kinds.TIMED_OUT_LISTENED_TO
    kind = kinds.NO_TURN if exchange.queued else due
    kind = kind._replace(what=kind.what.replace("{seconds}", f"{seconds:g}"))
    return _error(kind, exchange, None, _Body(), in_doubt=not exchange.queued)


def is_transient(response: httpx2.Response) -> bool:
    """Whether this failure may pass by itself: no limit of 0, no spend limit or plan, no rule of a gateway's."""
    return response.status_code in _PASSING and _kind(response, _read(response)) in (
        kinds.DOWN,
        kinds.THROTTLED,
        kinds.CAPACITY,
    )


def retry_after(response: httpx2.Response) -> float | None:
    """The seconds that a reply asks to wait; None where it asks for nothing that makes sense."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(response.headers.get(name, "nan")) / unit
        except ValueError:
            seconds = _until(response.headers[name])
        if seconds < _YEAR:  # never true of NaN
            return max(seconds, 0.0)
    return None


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return math.nan


def _read(response: httpx2.Response) -> _Body:
    content = _object(response.content)
    if content.get("name") == "AiGatewayError" or (content.get("success") is False and "errors" in content):
        first = _first(content.get("error") or content.get("errors"))
        code = content.get("internalCode") or first.get("code") or ""
        return _Body(
            GATEWAYS["cloudflare"], code=str(code), reason=_text(first.get("message") or content.get("message"))
        )
    mistral = not content.keys().isdisjoint(("detail", "message", "object", "guardrails"))
    kind = "guardrails" if "guardrails" in content else _text(content.get("type"))
    if "x-lava-request-id" in response.headers and (
        response.status_code == HTTPStatus.PAYMENT_REQUIRED
        or (response.status_code == HTTPStatus.UNAUTHORIZED and not mistral)
        or ("error" in content and "guardrails" not in content)
    ):
        return _Body(GATEWAYS["lava"], reason=_reason(content))
    code = content.get("code")
    field = f" (field {param})" if (param := _text(content.get("param"))) else ""
    return _Body(None, mistral, "" if code is None else str(code), kind, _reason(content).rstrip(" .") + field)


def _reason(content: dict[str, object]) -> str:
    """The reason in any of Mistral's shapes and Lava's: validation details first, then one of the texts."""
    message, detail, error = (content.get(name) for name in ("message", "detail", "error"))
    nested = _dict(message).get("detail")
    for details in (nested, detail, message):
        if isinstance(details, list) and details:
            told = [_complaint(item) for item in cast("list[object]", details)]
            more = f" (and {len(told) - 3} more)" if len(told) > 3 else ""  # noqa: PLR2004 - as many as one reads
            return "; ".join(told[:3]) + more
    violated = [
        name
        for result in _dict(_dict(content.get("guardrails")).get("results")).values()
        for name, decision in _dict(_dict(result).get("decisions")).items()
        if _dict(decision).get("violated") is True
    ]
    texts = (", ".join(violated), message, nested, detail, _dict(error).get("message"), error)
    return next((text for text in map(_text, texts) if text), "")


def _complaint(detail: object) -> str:
    """`msg (field a.b)`, of a validation detail; never its input."""
    place = _dict(detail).get("loc")
    steps = [str(step) for step in cast("list[object]", place)] if isinstance(place, list) else []
    field = ".".join(steps[1:] if steps[:1] == ["body"] else steps)
    return (_text(detail) or _text(_dict(detail).get("msg"))).rstrip(" .") + (f" (field {field})" if field else "")


def _kind(response: httpx2.Response, body: _Body) -> kinds.FailureKind:
    status = response.status_code
    found = None
    if body.gateway is not None:
        found = _GATEWAY_BY_CODE.get(body.code) or _GATEWAY_BY_STATUS.get(status)
    elif status == HTTPStatus.TOO_MANY_REQUESTS and _limit_is_zero(response):
        found = kinds.LIMIT_ZERO
    else:
        worded = (kind for given, words, kind in _BY_WORDS if given == status and words.search(body.reason))
        found = _BY_CODE.get(body.code) or _BY_CODE.get(body.type) or next(worded, None) or _BY_STATUS.get(status)
    return found or (kinds.REDIRECT if status < 400 else kinds.INVALID if status < 500 else kinds.DOWN)  # noqa: PLR2004 - classes of status


def _limit_is_zero(response: httpx2.Response) -> bool:
    return any(
        re.fullmatch(r"(x-)?ratelimit(bysize)?-limit\b.*", name) and value.strip() == "0"
        for name, value in response.headers.items()
    )


def _speaker(response: httpx2.Response, body: _Body, caller: Caller) -> str:
    """Who wrote this reply, as far as one can tell."""
    if body.gateway is not None:
        return body.gateway
    here = caller.route.name
    if not caller.route.gateway_name:
        return here
    mistral = body.mistral or not response.headers.keys().isdisjoint(_CORRELATION[:2])
    return "Mistral" if mistral else f"{here}, or Mistral behind it,"


def _error(
    kind: kinds.FailureKind,
    exchange: Exchange,
    response: httpx2.Response | None,
    body: _Body,
    *,
    in_doubt: bool,
) -> UpstreamError:
    """Fill in the sentences. `in_doubt`: Mistral may have done what was asked, so only what is repeatable is."""
    caller = exchange.caller
    who = caller.route.name if response is None else _speaker(response, body, caller)
    reason = _safe(body.reason, caller)
    named = re.match(r"(?:Invalid model:|Model) (\S+)", reason)
    model = _safe(exchange.model, caller, 80) or (named[1] if named else "")
    asked = None if response is None else retry_after(response)
    wait = kind.wait if kind.wait is None or asked is None else asked
    words = {
        "who": who,
        "via": caller.route.gateway_name or "the route",
        "source": caller.source,
        "model": f"the model {model}" if model else "this call",
        "because": f": {reason}" if reason else "",
        "when": _when(wait or 0),
        "tried": " in one attempt" if exchange.attempts <= 1 else "",  # more are counted by the error itself
    }
    words |= {"Who": _capital(who), "Model": _capital(words["model"])}
    advice = kinds.LOOK_FIRST if in_doubt and not exchange.repeatable else kind.advice
    return kind.error(
        caller.mask.text(kind.what.format_map(words)),
        advice.format_map(words),
        status=None if response is None else response.status_code,
        code=_token(body.code, caller, 40),
        correlation_id=None if response is None else _correlation_id(response, caller),
        attempts=max(exchange.attempts, 1),
        retry_after=wait,
    )


def _correlation_id(response: httpx2.Response, caller: Caller) -> str | None:
    found = (_token(response.headers.get(name, ""), caller, 100) for name in _CORRELATION)
    return next(filter(None, found), None)


def _safe(text: str, caller: Caller, size: int = 300) -> str:
    """One line of somebody else's text, without secrets, markup and addresses (they may be signed), cut to `size`."""
    text = caller.mask.text(text)
    if len(text) > _LONG:  # at a blank, so that no half of a credential stays
        text = text[:_LONG].rpartition(" ")[0]
    if _MARKUP.search(text):
        return ""
    text = _ADDRESS.sub("[address]", text)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    text = mask_shapes(text).rstrip(" .")
    return text if len(text) <= size else text[: size - 1] + "…"


def _token(text: str, caller: Caller, size: int) -> str | None:
    """A code or an id, if it is one and no secret."""
    return text if re.fullmatch(rf"[\w.:-]{{1,{size}}}", text, re.ASCII) and _safe(text, caller) == text else None


def _when(seconds: float) -> str:
    return f"in {max(math.ceil(seconds), 1)} s" if seconds <= 120 else f"in {math.ceil(seconds / 60)} minutes"  # noqa: PLR2004


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _object(content: bytes) -> dict[str, object]:
    try:
        return _dict(from_json(content))
    except ValueError:
        return {}


def _first(value: object) -> dict[str, object]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return _dict(items[0]) if items else {}


def _dict(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
