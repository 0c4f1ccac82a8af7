"""What is said of each kind of failure: one sentence of what happened, one of what to do.

`failures` decides which it is and fills in: {who} (the end that spoke), {via} (the gateway), {model}, {source} (of the
key), {because} (a reason that is safe to pass on), {tried}, {when}; capitalised where they begin a sentence.
"""

from typing import NamedTuple

from mistral_mcp import errors
from mistral_mcp.errors import UpstreamError

AGAIN = "Try again {when}."
LOOK_FIRST = "It may have been carried out all the same: look before trying again."
OTHER_MODEL = "Trying again cannot help: choose another model (mistral_list_models) or change the plan."


class FailureKind(NamedTuple):
    """A kind of failure, and what is said of it.

    `wait` is the time to suggest, in seconds, where the reply names none; None where coming back does not help.
    """

    error: type[UpstreamError]
    what: str
    advice: str
    wait: float | None = None


# fmt: off
KEY = FailureKind(
    errors.InvalidApiKey, "{Who} refused the key from {source}.",
    "Check that key in Mistral's console, or make a new one there and set it.",
)
STORED_KEY = FailureKind(
    errors.InvalidApiKey, "Mistral refused the key that {via} holds for this route.",
    "Whoever runs this route has to renew that key in the gateway.",
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
    errors.UnknownModel, "{Model} is unknown to Mistral, or has been retired.",
    "Choose one that mistral_list_models shows.",
)
RETIRED_MODEL = UNKNOWN_MODEL._replace(what="{Model} has been retired by Mistral.")
MISSING = FailureKind(
    errors.NotFound, "{Who} did not find what was asked for{because}.",
    "Check the id: it may be misspelt, deleted, or belong to another workspace.",
)
NO_ENDPOINT = FailureKind(
    errors.NotFound, "{Who} does not offer this call on the route in use.",
    "Check MISTRAL_MCP_ROUTE, or use the direct route for this tool.",
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
    "Trying again cannot help: raise the limit or top up the balance there.",
)
THROTTLED = FailureKind(
    errors.RateLimited, "Mistral's rate limit for {model} is used up.",
    "Try again {when}, with fewer or smaller calls at once.", wait=60,  # the window slides over a minute
)
CAPACITY = FailureKind(
    errors.RateLimited, "Mistral has no capacity for {model} at the moment, which is no limit of yours.",
    "Try again {when}, or use another model.", wait=60,
)
POLICY = FailureKind(
    errors.RateLimited, "{Who} refused the request by a rate limit of its own, not Mistral's.",
    "Try again {when}, or have the gateway's limit raised.", wait=60,
)
DOWN = FailureKind(errors.Unavailable, "{Who} failed with a server error{tried}{because}.", AGAIN, wait=30)
MALFORMED = FailureKind(errors.Unavailable, "{Who} sent a reply that cannot be read{tried}{because}.", AGAIN, wait=30)
REDIRECT = FailureKind(
    errors.Unavailable, "{Who} answered with a redirect, which is not followed.",
    "Check MISTRAL_MCP_ROUTE: it must be the final address.",
)
NO_TURN = FailureKind(
    errors.TimedOut, "This call's turn did not come within {seconds} s: other calls with this key were under way.",
    "Try again {when}, with fewer calls at once.", wait=30,
)
TIMED_OUT = FailureKind(
    errors.TimedOut, "{Who} did not finish{tried} within {seconds} s, waits and attempts included.",
    "Ask for less at once, or have MISTRAL_MCP_TIMEOUT raised.",
)
TIMED_OUT_LISTENED_TO = TIMED_OUT._replace(advice="Ask for less at once, or have MISTRAL_MCP_STREAM_TIMEOUT raised.")
# fmt: on
