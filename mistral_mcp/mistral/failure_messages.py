"""The messages of each kind of failure, one sentence on what happened and one on what to do; and how kinds are recognised.

`failures` decides which it is and fills in: {who} (the other end), {via} (the gateway), {model}, {source} (of the key),
{because} (a reason that is safe to show), {tried}, {when}; capitalised at the start of a sentence.
"""

import re
from typing import NamedTuple

import httpx2

from mistral_mcp import errors
from mistral_mcp.errors import UpstreamError

AGAIN = "Try again {when}."
CHECK_FIRST = "The operation may have succeeded; check before retrying."
OTHER_MODEL = "Retrying does not help: choose another model (mistral_list_models) or change the plan."


class FailureKind(NamedTuple):
    """A kind of failure, and its messages."""

    error: type[UpstreamError]
    what: str
    advice: str
    wait: float | None = None
    """Seconds to suggest if the reply names none; None if retrying does not help."""


# fmt: off
KEY = FailureKind(
    errors.InvalidApiKey, "{Who} refused the key from {source}.",
    "It is wrong or revoked, or the plan behind it is used up: check it in Mistral's console, or set another.",
)
KEY_FOR_CODE = KEY._replace(
    advice=KEY.advice + " A Codestral key works only with MISTRAL_MCP_ROUTE=https://codestral.mistral.ai."
)
STORED_KEY = FailureKind(
    errors.InvalidApiKey, "Mistral refused the key that {via} holds for this route.",
    "The operator of this route must renew that key in the gateway.",
)
NO_STORED_KEY = FailureKind(
    errors.InvalidApiKey, "{Who} has no Mistral key stored for this route.",
    "Store one in the gateway, or call with a key of your own.",
)
ROUTE_TOKEN = FailureKind(
    errors.InvalidApiKey, "{Who} refused this route's own token; the Mistral key is not at fault.",
    "Check MISTRAL_MCP_ROUTE_TOKEN, or the route token of the connection.",
)
PLAN = FailureKind(errors.NotAllowed, "{Model} is not on this workspace's Mistral plan; the key is fine.", OTHER_MODEL)
LIMIT_ZERO = PLAN._replace(
    what="{Model} is not on this workspace's Mistral plan, where its rate limit is 0; the key is fine."
)
LABS = FailureKind(
    errors.NotAllowed, "{Model} belongs to Mistral's Labs, which this organisation has not enabled; the key is fine.",
    "Have an administrator enable Labs models in Mistral's console, or choose another model.",
)
GUARDRAIL = FailureKind(
    errors.NotAllowed, "A guardrail at Mistral blocked the request{because}; the key is fine.",
    "Change the content, or have the guardrail changed.",
)
GATEWAY_GUARDRAIL = GUARDRAIL._replace(
    what="A guardrail of {who} blocked the prompt or the answer; the Mistral key is fine."
)
FORBIDDEN = FailureKind(
    errors.NotAllowed, "{Who} does not allow this request{because}; the key is fine.",
    "Check the workspace's plan, opt-ins and permissions in Mistral's console.",
)
GATEWAY_FORBIDDEN = FailureKind(
    errors.NotAllowed, "{Who} does not allow this request; the Mistral key is fine.",
    "Check the gateway's own plan and permissions.",
)
UNKNOWN_MODEL = FailureKind(
    errors.UnknownModel, "{Model} is unknown to Mistral, retired, or does not support this kind of call.",
    "Choose one that mistral_list_models shows.",
)
RETIRED_MODEL = UNKNOWN_MODEL._replace(what="{Model} has been retired by Mistral.")
MISSING = FailureKind(
    errors.NotFound, "{Who} did not find the requested object{because}.",
    "Check the id: it may be misspelt, deleted, or belong to another workspace.",
)
MISSING_FILE = MISSING._replace(
    advice="Check the id: it may be misspelt or deleted; a file that was just uploaded may need a moment."
)
NO_ENDPOINT = FailureKind(
    errors.NotFound, "{Who} does not offer this call on the route in use.",
    "Check MISTRAL_MCP_ROUTE, or use the direct route for this tool.",
)
WRONG_ADDRESS = NO_ENDPOINT._replace(
    advice="Check MISTRAL_MCP_ROUTE: its address may be wrong, or have an extra path at the end."
)
RETIRED = FailureKind(
    errors.Retired, "Mistral has retired this call{because}.",
    "This version has no replacement; a newer version of mistral-mcp may have one.",
)
RETIRED_FINE_TUNING = RETIRED._replace(
    what="Mistral has retired fine-tuning jobs.",
    advice="There is no replacement; models that were fine-tuned before can still be used and managed.",
)
NO_GATEWAY = FailureKind(
    errors.NotFound, "{Who} knows no such account or gateway.",
    "Check ACCOUNT_ID and GATEWAY in MISTRAL_MCP_ROUTE.",
)
INVALID = FailureKind(
    errors.RequestRefused, "{Who} refused the request{because}.",
    "Correct it and call again; unchanged it would be refused again.",
)
TOO_MANY = INVALID._replace(error=errors.TooManyInputs, advice="Split the inputs over several calls.")
TOO_LONG = INVALID._replace(
    advice="Shorten the input, or choose a model with a larger context window (mistral_list_models)."
)
BAD_FILE = FailureKind(
    errors.RequestRefused, "Mistral could not fetch or read a file, image or recording of the request{because}.",
    "Check that its address is public and still valid, and that Mistral reads its format.",
)
TOO_LARGE = FailureKind(
    errors.RequestRefused, "The request is larger than {who} accepts.",
    "Send less at once: shorter text, fewer inputs, or smaller images and files.",
)
UNPAID = FailureKind(
    errors.PaymentRequired, "{Who} refused the request because a spend limit is reached or a payment is due.",
    "Retrying does not help: raise the limit or top up the balance there.",
)
THROTTLED = FailureKind(
    errors.RateLimited, "Mistral's rate limit for {model} is used up.",
    "Try again {when}, with fewer or smaller calls at once.", wait=60,  # the window slides over a minute
)
CAPACITY = FailureKind(
    errors.RateLimited, "Mistral has no capacity for {model} at the moment, which is not a limit of yours.",
    "Try again {when}, or use another model.", wait=60,
)
POLICY = FailureKind(
    errors.RateLimited, "{Who} refused the request under its own rate limit, not Mistral's.",
    "Try again {when}, or have the gateway's limit raised.", wait=60,
)
BLOCKED_BY_PAGE = FailureKind(
    errors.Unavailable, "Something on the way to Mistral (a firewall, proxy or CDN) refused the request with a web page.",
    "Check the network that this server is in, or use another one; Mistral itself has not answered.",
)
DOWN = FailureKind(errors.Unavailable, "{Who} failed with a server error{tried}{because}.", AGAIN, wait=30)
MALFORMED = FailureKind(errors.Unavailable, "{Who} sent a reply that cannot be read{because}.", AGAIN, wait=30)
REDIRECT = FailureKind(
    errors.Unavailable, "{Who} answered with a redirect, which is not followed.",
    "Check MISTRAL_MCP_ROUTE: it must be the final address.",
)
NO_TURN = FailureKind(
    errors.TimedOut, "This call waited in the queue for {seconds} s: other calls with this key were running.",
    "Try again {when}, with fewer calls at once.", wait=30,
)
TIMED_OUT = FailureKind(
    errors.TimedOut, "{Who} did not finish{tried} within {seconds} s, waits and attempts included.",
    "Ask for less at once, or have MISTRAL_MCP_TIMEOUT raised.",
)
TIMED_OUT_LISTENED_TO = TIMED_OUT._replace(advice="Ask for less at once, or have MISTRAL_MCP_STREAM_TIMEOUT raised.")
TOO_LARGE_A_REPLY = FailureKind(
    errors.ReplyTooLarge, "The reply is larger than {size}, so it was not read to the end.", "Ask for less at once."
)
CONNECTION = FailureKind(errors.Unavailable, "The exchange with {who} failed{tried}.", AGAIN, wait=30)
UNSENT = FailureKind(
    errors.Unavailable, "The request to {who} could not be sent{tried}.",
    "Retrying does not help: check the key and MISTRAL_MCP_ROUTE.",
)
BROKEN_ANSWER = FailureKind(errors.Unavailable, "{Who} broke off its answer.", "Try again.")
UNTRUSTED_CERTIFICATE = FailureKind(
    errors.LocalNetworkError, "This server's machine does not trust the certificate of {who}.",
    "If a company's proxy inspects the traffic, name its certificate in SSL_CERT_FILE; otherwise check MISTRAL_MCP_ROUTE.",
)
UNRESOLVED_NAME = FailureKind(
    errors.LocalNetworkError, "This server's machine could not resolve the host name of {who}.",
    "Check its network and DNS, HTTPS_PROXY if it needs a proxy, and MISTRAL_MCP_ROUTE.",
)
PROXY_REFUSED = FailureKind(
    errors.LocalNetworkError, "The proxy of this server's machine did not let the request through to {who}.",
    "Check HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY.",
)
# fmt: on

BY_CODE = {
    # Mistral's codes, and its types, used if a code is missing.
    **dict.fromkeys(("1300", "rate_limited"), THROTTLED),
    **dict.fromkeys(("1500", "invalid_model"), UNKNOWN_MODEL),
    **dict.fromkeys(("1910", "tier_not_allowed"), PLAN),
    **dict.fromkeys(("1913", "labs_not_enabled"), LABS),
    **dict.fromkeys(("3201", "guardrails"), GUARDRAIL),
    **dict.fromkeys(("3310", "invalid_request_file"), BAD_FILE),
    **dict.fromkeys(("3505", "service_tier_capacity_exceeded", "backend_out_of_capacity"), CAPACITY),
    "3210": TOO_MANY,
}
BY_WORDS = (
    ({404}, re.compile(r"^Model .*is deprecated", re.DOTALL), RETIRED_MODEL),
    ({404}, re.compile(r"^Model .*was not found", re.DOTALL), UNKNOWN_MODEL),
    ({404}, re.compile(r"^no Route matched|^$"), NO_ENDPOINT),
    ({404}, re.compile(r"^Not Found$"), WRONG_ADDRESS),
    ({400, 413}, re.compile(r"too large for model"), TOO_LONG),
    ({400}, re.compile(r"(?i)^too many (?:tokens|inputs) in (?:batch|request)"), TOO_MANY),
    ({429, 500, 503}, re.compile(r"(?i)capacity (?:exceeded|available)|out of capacity"), CAPACITY),
    # Which status a spend limit gets is documented nowhere.
    ({403, 429}, re.compile(r"(?i)spend\w* ?limit|suspended|unpaid|invoice"), UNPAID),
)
"""How to recognise a kind without a code: its statuses, and Mistral's wording."""
BY_STATUS: dict[int | None, FailureKind] = {
    401: KEY,
    402: UNPAID,
    403: FORBIDDEN,
    404: MISSING,
    408: DOWN,
    410: RETIRED,
    413: TOO_LARGE,
    429: THROTTLED,
}
PAGE_BY_STATUS: dict[int | None, FailureKind] = {
    **dict.fromkeys((400, 401, 403, 405, 406, 451), BLOCKED_BY_PAGE),
    404: WRONG_ADDRESS,
    413: TOO_LARGE,
    429: THROTTLED,
}
"""A web page that Mistral did not write says nothing about a key or a plan."""
GATEWAY_BY_CODE = {
    **dict.fromkeys(("2001", "7003"), NO_GATEWAY),
    **dict.fromkeys(("2009", "10000"), ROUTE_TOKEN),
    **dict.fromkeys(("2016", "2017"), GATEWAY_GUARDRAIL),
    "2036": GATEWAY_FORBIDDEN,
    "2040": NO_STORED_KEY,
    "2041": UNPAID,
}
GATEWAY_BY_STATUS = BY_STATUS | {401: ROUTE_TOKEN, 403: GATEWAY_FORBIDDEN, 404: NO_ENDPOINT, 429: POLICY}

UNSENDABLE = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)
"""Exceptions that another attempt would only raise again."""

_UNREACHED = "{Who} could not be reached{tried}."
_SILENT = "{Who} stopped answering{tried}."
_CUT = "{Who} dropped the connection before its answer was complete{tried}."
_UNREADABLE = "The answer of {who} could not be read."
DROPPED: dict[type, str] = {
    **dict.fromkeys((httpx2.ConnectError, httpx2.ConnectTimeout), _UNREACHED),
    httpx2.ProxyError: PROXY_REFUSED.what,
    httpx2.PoolTimeout: "No connection to {who} became free in time.",
    **dict.fromkeys((httpx2.ReadTimeout, httpx2.WriteTimeout, httpx2.TimeoutException), _SILENT),
    **dict.fromkeys((httpx2.ReadError, httpx2.WriteError, httpx2.CloseError, httpx2.NetworkError), _CUT),
    **dict.fromkeys((httpx2.RemoteProtocolError, httpx2.ProtocolError, httpx2.TransportError), _CUT),
    **dict.fromkeys(UNSENDABLE, UNSENT.what),
    httpx2.SSEError: "{Who} did not answer with the requested event stream.",
    httpx2.DecodingError: "{Who} sent an answer whose compression is broken.",
    **dict.fromkeys((httpx2.TooManyRedirects, httpx2.RequestError), "The request to {who} failed{tried}."),
    **dict.fromkeys((httpx2.HTTPStatusError, httpx2.HTTPError), CONNECTION.what),
    **dict.fromkeys((httpx2.StreamConsumed, httpx2.StreamClosed, httpx2.StreamError), _UNREADABLE),
    **dict.fromkeys((httpx2.ResponseNotRead, httpx2.RequestNotRead), _UNREADABLE),
}
"""The messages for httpx2's exceptions, by class."""
