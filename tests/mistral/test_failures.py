"""What each failure becomes: the class, the sentences, the facts; and what never gets into them.

Bodies are those of Mistral and of the gateways, written down from what was seen, unless they say otherwise.
"""

import base64
import json
import socket
import ssl
import time
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mistral_mcp import errors
from mistral_mcp.mistral import failure_messages as kinds
from mistral_mcp.mistral import failures
from mistral_mcp.mistral.retry_after import retry_after
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.route import Route
from tests.conftest import RECORDED

KEY = "cYf8Qm2ZtKxP0aWb7NvR4eUj1HsLd9Go"
TOKEN = "cfut-9d1f7b3a5c2e4f60"
ROUTES = {
    kind: Route.parse(text)
    for kind, text in {
        "direct": "direct",
        "base": "https://proxy.example:8443/mistral",
        "cloudflare": "cloudflare://acc1/gate1",
        "lava": "lava://",
        "lava-byok": "lava://byok",
    }.items()
}


def exchange(
    route: str = "direct", *, repeatable: bool = True, model: str = "mistral-small-latest", attempts: int = 1
) -> Exchange:
    key = None if route == "lava" else SecretStr(KEY)
    caller = Caller.of(key, "MISTRAL_API_KEY", ROUTES[route], SecretStr(TOKEN), SecretStr(KEY))
    return Exchange(caller, repeatable, time.monotonic() + 60, model=model, attempts=attempts)


def reply(status: int, body: Any = b"", **headers: str) -> httpx2.Response:
    if isinstance(body, bytes):
        content = body
    elif isinstance(body, str):
        content = body.encode()
    else:
        content = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, content=content, headers=named)


def error_of(response: httpx2.Response, exchange: Exchange) -> errors.UpstreamError:
    return failures.error_of(failures.failure_of(response, exchange), exchange)


def error_in(event: str, exchange: Exchange) -> errors.UpstreamError | None:
    failure = failures.failure_in(event.encode(), exchange)
    return failures.error_of(failure, exchange) if failure else None


def is_transient(response: httpx2.Response) -> bool:
    return failures.failure_of(response, exchange()).is_transient


def mistral_body(status: int, kind: str, code: str | None, message: Any) -> dict[str, Any]:
    return {
        "object": "error",
        "message": message,
        "type": kind,
        "param": None,
        "code": code,
        "raw_status_code": status,
    }


def gateway_reply(status: int, code: int, message: str) -> httpx2.Response:
    body = {"success": False, "error": [{"code": code, "message": message}], "name": "AiGatewayError"}
    return reply(status, body | {"httpCode": status, "internalCode": code}, cf_ray="8f1d-CDG")


EXTRA = {
    "type": "extra_forbidden",
    "loc": ["body", "max_completion_tokens"],
    "msg": "Extra inputs are not permitted",
    "input": "the caller's own text",
}
GUARDRAIL = {
    "error": {"message": "Content blocked by guardrail", "status": 403},
    "guardrails": {
        "results": {
            "moderation_llm_v2": {
                "decisions": {
                    "pii": {"threshold": 0.5, "score": 0.1, "violated": False},
                    "violence_and_threats": {"threshold": 0.5, "score": 0.9, "violated": True},
                },
                "violated": True,
                "action": "block",
            }
        }
    },
}
FINE = "the key is fine."
OTHER_MODEL = "Retrying does not help: choose another model (mistral_list_models) or change the plan."
CORRECT = "Correct it and call again; unchanged it would be refused again."
MODEL = "the model mistral-small-latest"

SENTENCES: dict[str, tuple[httpx2.Response, type[errors.UpstreamError], str]] = {
    # 401
    "D, as recorded": (
        reply(
            401, '{"detail":"Invalid API Key"}\n', mistral_correlation_id="01a01a71-adef-761b-9fa0-bffc7640e912"
        ),
        errors.InvalidApiKey,
        (
            "Mistral refused the key from MISTRAL_API_KEY. It is wrong or revoked, or the plan behind it is used "
            "up: check it in Mistral's console, or set another. (HTTP 401, correlation id 01a01a71-adef-761b-9fa0-bffc7640e912)"
        ),
    ),
    "D, of Kong": (
        reply(401, {"message": "Unauthorized", "request_id": "0" * 32}),
        errors.InvalidApiKey,
        (
            "Mistral refused the key from MISTRAL_API_KEY. It is wrong or revoked, or the plan behind it is used "
            "up: check it in Mistral's console, or set another. (HTTP 401)"
        ),
    ),
    # 403
    "a plan": (
        reply(
            403,
            mistral_body(403, "tier_not_allowed", "1910", "This model is not available in your subscription tier"),
        ),
        errors.NotAllowed,
        (
            f"The model mistral-small-latest is not on this workspace's Mistral plan; {FINE} {OTHER_MODEL} "
            "(HTTP 403, code 1910)"
        ),
    ),
    "labs": (
        reply(403, mistral_body(403, "labs_not_enabled", "1913", "Labs models are not enabled")),
        errors.NotAllowed,
        (
            "The model mistral-small-latest belongs to Mistral's Labs, which this organisation has not enabled; "
            f"{FINE} Have an administrator enable Labs models in Mistral's console, or choose another model. "
            "(HTTP 403, code 1913)"
        ),
    ),
    "F, a guardrail": (
        reply(403, GUARDRAIL),
        errors.NotAllowed,
        (
            f"A guardrail at Mistral blocked the request: violence_and_threats; {FINE} "
            "Change the content, or have the guardrail changed. (HTTP 403)"
        ),
    ),
    "a guardrail that failed": (
        reply(
            400, mistral_body(400, "invalid_request_error", None, "Request blocked due to error") | {"code": 3201}
        ),
        errors.NotAllowed,
        (
            f"A guardrail at Mistral blocked the request: Request blocked due to error; {FINE} "
            "Change the content, or have the guardrail changed. (HTTP 400, code 3201)"
        ),
    ),
    "any other 403": (
        reply(403, {"message": "Base models cannot be deleted."}),
        errors.NotAllowed,
        (
            f"Mistral does not allow this request: Base models cannot be deleted; {FINE} "
            "Check the workspace's plan, opt-ins and permissions in Mistral's console. (HTTP 403)"
        ),
    ),
    # Models, and what is not found
    "A, an unknown model": (
        reply(400, mistral_body(400, "invalid_model", "1500", "Invalid model: mistral-small-latest")),
        errors.UnknownModel,
        (
            "The model mistral-small-latest is unknown to Mistral, retired, or does not support this kind of call. "
            "Choose one that mistral_list_models shows. (HTTP 400, code 1500)"
        ),
    ),
    "E, an unknown model": (
        reply(404, {"message": "Model mistral-small-latest was not found."}),
        errors.UnknownModel,
        (
            "The model mistral-small-latest is unknown to Mistral, retired, or does not support this kind of call. "
            "Choose one that mistral_list_models shows. (HTTP 404)"
        ),
    ),
    "E, a retired model": (
        reply(404, {"message": "Model mistral-small-latest is deprecated."}),
        errors.UnknownModel,
        (
            "The model mistral-small-latest has been retired by Mistral. "
            "Choose one that mistral_list_models shows. (HTTP 404)"
        ),
    ),
    "another 404": (
        reply(404, {"detail": "No file matches the given query."}),
        errors.NotFound,
        (
            "Mistral did not find the requested object: No file matches the given query. "
            "Check the id: it may be misspelt or deleted; a file that was just uploaded may need a moment. (HTTP 404)"
        ),
    ),
    "E, no route": (
        reply(404, {"message": "no Route matched with those values", "request_id": "0" * 32}),
        errors.NotFound,
        (
            "Mistral does not offer this call on the route in use. "
            "Check MISTRAL_MCP_ROUTE, or use the direct route for this tool. (HTTP 404)"
        ),
    ),
    # 400 and 422
    "B": (
        reply(422, mistral_body(422, "invalid_request_error", None, {"detail": [EXTRA]})),
        errors.RequestRefused,
        (
            "Mistral refused the request: Extra inputs are not permitted (field max_completion_tokens). "
            f"{CORRECT} (HTTP 422)"
        ),
    ),
    "B with a text": (
        reply(422, mistral_body(422, "invalid_request_error", None, "Invalid request, use multipart/form-data.")),
        errors.RequestRefused,
        f"Mistral refused the request: Invalid request, use multipart/form-data. {CORRECT} (HTTP 422)",
    ),
    "C": (
        reply(422, {"detail": [EXTRA, {"loc": ["body", "messages", 0, "role"], "msg": "Field required"}]}),
        errors.RequestRefused,
        (
            "Mistral refused the request: Extra inputs are not permitted (field max_completion_tokens); Field required "
            f"(field messages.0.role). {CORRECT} (HTTP 422)"
        ),
    ),
    "C of conversations": (
        reply(422, {"object": "Error", "detail": [EXTRA] * 5, "message": [EXTRA], "code": 3001}),
        errors.RequestRefused,
        "Mistral refused the request: "
        + "; ".join(["Extra inputs are not permitted (field max_completion_tokens)"] * 3)
        + f" (and 2 more). {CORRECT} (HTTP 422, code 3001)",
    ),
    "C with a text": (
        reply(422, {"detail": "Invalid file format.", "description": "A list of things"}),
        errors.RequestRefused,
        f"Mistral refused the request: Invalid file format. {CORRECT} (HTTP 422)",
    ),
    "role order": (
        reply(
            400,
            mistral_body(400, "invalid_request_message_order", "3230", "Unexpected role 'user' after role 'tool'"),
        ),
        errors.RequestRefused,
        f"Mistral refused the request: Unexpected role 'user' after role 'tool'. {CORRECT} (HTTP 400, code 3230)",
    ),
    "a tool call's id": (
        reply(400, mistral_body(400, "invalid_function_call", "3280", "Tool call id was x but must be a-z")),
        errors.RequestRefused,
        f"Mistral refused the request: Tool call id was x but must be a-z. {CORRECT} (HTTP 400, code 3280)",
    ),
    "a parameter": (
        reply(400, mistral_body(400, "invalid_request_error", None, "Must be 1.") | {"param": "top_p"}),
        errors.RequestRefused,
        f"Mistral refused the request: Must be 1 (field top_p). {CORRECT} (HTTP 400)",
    ),
    "too many inputs": (
        reply(400, mistral_body(400, "invalid_request_prompt", "3210", "Too many inputs in request, split them.")),
        errors.TooManyInputs,
        (
            "Mistral refused the request: Too many inputs in request, split them. Split the inputs over several calls. "
            "(HTTP 400, code 3210)"
        ),
    ),
    "too long a prompt": (
        reply(
            400,
            mistral_body(
                400,
                "invalid_request_invalid_args",
                "3051",
                "Prompt contains 200000 tokens and 0 draft tokens, too large for model with 131072 maximum context",
            ),
        ),
        errors.RequestRefused,
        (
            "Mistral refused the request: Prompt contains 200000 tokens and 0 draft tokens, too large for model with "
            "131072 maximum context. Shorten the input, or choose a model with a larger context window "
            "(mistral_list_models). (HTTP 400, code 3051)"
        ),
    ),
    "an unreadable file": (
        reply(
            400,
            mistral_body(
                400,
                "invalid_request_file",
                "3310",
                "File could not be fetched from url https://files.example/a.png?sig=c2VjcmV0c2lnbmF0dXJl",
            ),
        ),
        errors.RequestRefused,
        (
            "Mistral could not fetch or read a file, image or recording of the request: File could not be fetched from "
            "url [address]. Check that its address is public and still valid, and that Mistral reads its format. "
            "(HTTP 400, code 3310)"
        ),
    ),
    "a broken PDF": (
        reply(400, mistral_body(400, "document_parser_invalid_file", "3740", "Document is not a valid PDF.")),
        errors.RequestRefused,
        f"Mistral refused the request: Document is not a valid PDF. {CORRECT} (HTTP 400, code 3740)",
    ),
    "413 as a page": (
        reply(413, "<html>413</html>"),
        errors.RequestRefused,
        (
            "The request is larger than Mistral accepts. "
            "Send less at once: shorter text, fewer inputs, or smaller images and files. (HTTP 413)"
        ),
    ),
    # 429 and payment
    "a throttle": (
        reply(
            429,
            mistral_body(429, "rate_limited", "1300", "Rate limit exceeded"),
            x_ratelimit_limit_req_minute="100",
            x_ratelimit_remaining_req_minute="0",
        ),
        errors.RateLimited,
        (
            f"Mistral's rate limit for {MODEL} is used up. Try again in 60 s, with fewer or smaller calls at once. "
            "(HTTP 429, code 1300)"
        ),
    ),
    "a throttle that says when": (
        reply(429, mistral_body(429, "rate_limited", "1300", "Rate limit exceeded"), retry_after="300"),
        errors.RateLimited,
        (
            f"Mistral's rate limit for {MODEL} is used up. Try again in 5 minutes, with fewer or smaller calls at once. "
            "(HTTP 429, code 1300)"
        ),
    ),
    "a limit of 0": (
        reply(
            429, mistral_body(429, "rate_limited", "1300", "Rate limit exceeded"), x_ratelimit_limit_req_minute="0"
        ),
        errors.NotAllowed,
        (
            "The model mistral-small-latest is not on this workspace's Mistral plan, where its rate limit is 0; "
            f"{FINE} {OTHER_MODEL} (HTTP 429, code 1300)"
        ),
    ),
    "capacity": (
        reply(429, mistral_body(429, "service_tier_capacity_exceeded", "3505", "Service tier capacity exceeded.")),
        errors.RateLimited,
        (
            f"Mistral has no capacity for {MODEL} at the moment, which is not a limit of yours. "
            "Try again in 60 s, or use another model. (HTTP 429, code 3505)"
        ),
    ),
    "a spend limit": (
        reply(429, mistral_body(429, "rate_limited", None, "Monthly spend limit reached.")),
        errors.PaymentRequired,
        (
            "Mistral refused the request because a spend limit is reached or a payment is due. "
            "Retrying does not help: raise the limit or top up the balance there. (HTTP 429)"
        ),
    ),
    "402": (
        reply(402, {"detail": "Payment required"}),
        errors.PaymentRequired,
        (
            "Mistral refused the request because a spend limit is reached or a payment is due. "
            "Retrying does not help: raise the limit or top up the balance there. (HTTP 402)"
        ),
    ),
    # 5xx
    "A, a server error": (
        reply(503, mistral_body(503, "unreachable_backend", "1100", "Service unavailable.")),
        errors.Unavailable,
        (
            "Mistral failed with a server error in one attempt: Service unavailable. Try again in 30 s. "
            "(HTTP 503, code 1100)"
        ),
    ),
    "G, empty": (
        reply(502),
        errors.Unavailable,
        "Mistral failed with a server error in one attempt. Try again in 30 s. (HTTP 502)",
    ),
    "G, a page": (
        reply(520, "<!DOCTYPE html><html><body>Error 520</body></html>", cf_ray="8f1d2c3b4a5e6f70-CDG"),
        errors.Unavailable,
        (
            "Mistral failed with a server error in one attempt. Try again in 30 s. "
            "(HTTP 520, correlation id 8f1d2c3b4a5e6f70-CDG)"
        ),
    ),
    "a redirect": (
        reply(301, location="https://elsewhere.example"),
        errors.Unavailable,
        (
            "Mistral answered with a redirect, which is not followed. "
            "Check MISTRAL_MCP_ROUTE: it must be the final address. (HTTP 301)"
        ),
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_a_failure_is_reported_in_one_sentence_of_what_and_one_of_what_to_do(case: str):
    response, kind, text = SENTENCES[case]
    error = error_of(response, exchange())
    assert (type(error), str(error)) == (kind, text)


GATEWAYS: dict[str, tuple[str, httpx2.Response, type[errors.UpstreamError], str]] = {
    "no gateway": (
        "cloudflare",
        gateway_reply(400, 2001, "Please configure AI Gateway in the Cloudflare dashboard"),
        errors.NotFound,
        (
            "The Cloudflare AI Gateway knows no such account or gateway. Check ACCOUNT_ID and GATEWAY in "
            "MISTRAL_MCP_ROUTE. (HTTP 400, code 2001, correlation id 8f1d-CDG)"
        ),
    ),
    "its token": (
        "cloudflare",
        gateway_reply(401, 2009, "Unauthorized"),
        errors.InvalidApiKey,
        (
            "The Cloudflare AI Gateway refused this route's own token; the Mistral key is not at fault. "
            "Check MISTRAL_MCP_ROUTE_TOKEN, or the route token of the connection. "
            "(HTTP 401, code 2009, correlation id 8f1d-CDG)"
        ),
    ),
    "the classic envelope": (
        "cloudflare",
        reply(
            401, {"result": None, "success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
        ),
        errors.InvalidApiKey,
        (
            "The Cloudflare AI Gateway refused this route's own token; the Mistral key is not at fault. "
            "Check MISTRAL_MCP_ROUTE_TOKEN, or the route token of the connection. (HTTP 401, code 10000)"
        ),
    ),
    "a blocked prompt": (
        "cloudflare",
        gateway_reply(424, 2016, "Prompt blocked due to security configurations"),
        errors.NotAllowed,
        (
            "A guardrail of the Cloudflare AI Gateway blocked the prompt or the answer; the Mistral key is fine. "
            "Change the content, or have the guardrail changed. (HTTP 424, code 2016, correlation id 8f1d-CDG)"
        ),
    ),
    "its plan": (
        "cloudflare",
        gateway_reply(403, 2036, "This feature is not available"),
        errors.NotAllowed,
        (
            "The Cloudflare AI Gateway does not allow this request; the Mistral key is fine. "
            "Check the gateway's own plan and permissions. (HTTP 403, code 2036, correlation id 8f1d-CDG)"
        ),
    ),
    "no stored key": (
        "cloudflare",
        gateway_reply(
            400, 2040, "Provider 'mistral' has no BYOK credential named 'x'. Configured aliases: prod, boss-key"
        ),
        errors.InvalidApiKey,
        (
            "The Cloudflare AI Gateway has no Mistral key stored for this route. "
            "Store one in the gateway, or call with a key of your own. (HTTP 400, code 2040, correlation id 8f1d-CDG)"
        ),
    ),
    "its spend limit": (
        "cloudflare",
        gateway_reply(429, 2041, "Spend limit exceeded: rule 'r' (cost limit 5 per 60s, sliding) for mistral m"),
        errors.PaymentRequired,
        (
            "The Cloudflare AI Gateway refused the request because a spend limit is reached or a payment is due. "
            "Retrying does not help: raise the limit or top up the balance there. "
            "(HTTP 429, code 2041, correlation id 8f1d-CDG)"
        ),
    ),
    "its rate limit": (
        "cloudflare",
        gateway_reply(429, 2003, "Rate limited"),
        errors.RateLimited,
        (
            "The Cloudflare AI Gateway refused the request under its own rate limit, not Mistral's. "
            "Try again in 60 s, or have the gateway's limit raised. (HTTP 429, code 2003, correlation id 8f1d-CDG)"
        ),
    ),
    "a code nobody knows": (
        "cloudflare",
        gateway_reply(400, 2999, "Something is wrong with the request"),
        errors.RequestRefused,
        (
            f"The Cloudflare AI Gateway refused the request: Something is wrong with the request. {CORRECT} "
            "(HTTP 400, code 2999, correlation id 8f1d-CDG)"
        ),
    ),
    "Mistral's 401 behind Cloudflare": (
        "cloudflare",
        reply(401, {"detail": "Invalid API Key"}),
        errors.InvalidApiKey,
        (
            "Mistral refused the key from MISTRAL_API_KEY. It is wrong or revoked, or the plan behind it is used "
            "up: check it in Mistral's console, or set another. (HTTP 401)"
        ),
    ),
    "Mistral's 503 behind Cloudflare": (
        "cloudflare",
        reply(503, mistral_body(503, "unreachable_backend", "1100", "Service unavailable.")),
        errors.Unavailable,
        (
            "Mistral failed with a server error in one attempt: Service unavailable. Try again in 30 s. "
            "(HTTP 503, code 1100)"
        ),
    ),
    "a page that either may have sent": (
        "cloudflare",
        reply(502, "<html></html>"),
        errors.Unavailable,
        (
            "The Cloudflare AI Gateway, or Mistral behind it, failed with a server error in one attempt. "
            "Try again in 30 s. (HTTP 502)"
        ),
    ),
    "Lava's token": (
        "lava-byok",
        reply(401, {"error": "Invalid forward token"}, x_lava_request_id="req_1"),
        errors.InvalidApiKey,
        (
            "The Lava gateway refused this route's own token; the Mistral key is not at fault. "
            "Check MISTRAL_MCP_ROUTE_TOKEN, or the route token of the connection. (HTTP 401, correlation id req_1)"
        ),
    ),
    "Lava's wallet": (
        "lava",
        reply(402, "", x_lava_request_id="req_2"),
        errors.PaymentRequired,
        (
            "The Lava gateway refused the request because a spend limit is reached or a payment is due. "
            "Retrying does not help: raise the limit or top up the balance there. (HTTP 402, correlation id req_2)"
        ),
    ),
    "Lava's permissions": (
        "lava",
        reply(403, {"error": {"message": "Connection disabled"}}, x_lava_request_id="req_3"),
        errors.NotAllowed,
        (
            "The Lava gateway does not allow this request; the Mistral key is fine. "
            "Check the gateway's own plan and permissions. (HTTP 403, correlation id req_3)"
        ),
    ),
    "Lava itself failing": (
        "lava",
        reply(500, {"error": {"message": "internal"}}, x_lava_request_id="req_4"),
        errors.Unavailable,
        (
            "The Lava gateway failed with a server error in one attempt: internal. Try again in 30 s. "
            "(HTTP 500, correlation id req_4)"
        ),
    ),
    "Mistral's guardrail behind Lava": (
        "lava-byok",
        reply(403, GUARDRAIL, x_lava_request_id="req_5"),
        errors.NotAllowed,
        (
            f"A guardrail at Mistral blocked the request: violence_and_threats; {FINE} "
            "Change the content, or have the guardrail changed. (HTTP 403, correlation id req_5)"
        ),
    ),
    "the key that Lava holds": (
        "lava",
        reply(401, {"detail": "Invalid API Key"}, x_lava_request_id="req_6"),
        errors.InvalidApiKey,
        (
            "Mistral refused the key that the Lava gateway holds for this route. "
            "The operator of this route must renew that key in the gateway. (HTTP 401, correlation id req_6)"
        ),
    ),
    "an own base": (
        "base",
        reply(503, "busy"),
        errors.Unavailable,
        "Mistral at proxy.example:8443 failed with a server error in one attempt: busy. Try again in 30 s. (HTTP 503)",
    ),
}


@pytest.mark.parametrize("case", GATEWAYS)
def test_a_gateways_failure_is_distinguished_from_mistrals(case: str):
    route, response, kind, text = GATEWAYS[case]
    error = error_of(response, exchange(route))
    assert (type(error), str(error)) == (kind, text)


def test_the_facts_are_attributes():
    body = mistral_body(429, "rate_limited", "1300", "Rate limit exceeded")
    error = error_of(reply(429, body, x_kong_request_id="k-1", retry_after="7"), exchange(attempts=3))
    facts = (error.status, error.code, error.correlation_id, error.attempts, error.retry_after)
    assert facts == (429, "1300", "k-1", 3, 7)
    assert str(error).endswith("Try again in 7 s, with fewer or smaller calls at once. "
                               "(HTTP 429, code 1300, 3 attempts, correlation id k-1)")  # fmt: skip


@pytest.mark.parametrize("case", ["a limit of 0", "a spend limit", "402", "a plan"])
def test_nothing_says_when_to_come_back_where_coming_back_does_not_help(case: str):
    response, _, _ = SENTENCES[case]
    response.headers["retry-after"] = "5"
    assert error_of(response, exchange()).retry_after is None


def test_an_unknown_model_is_named_from_mistrals_words_where_the_call_names_none():
    error = error_of(reply(404, {"message": "Model who-knows was not found."}), exchange(model=""))
    assert (
        error.what == "The model who-knows is unknown to Mistral, retired, or does not support this kind of call."
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 524])
def test_a_server_error_of_what_creates_says_to_look_first(status: int):
    error = error_of(reply(status), exchange(repeatable=False))
    assert error.advice == "The operation may have succeeded; check before retrying."


def test_the_recorded_refusal_of_a_key_is_understood():
    record = json.loads((RECORDED / "invalid-key.json").read_text(encoding="utf-8"))
    error = error_of(
        httpx2.Response(record["status"], headers=record["headers"], content=record["body"].encode()), exchange()
    )
    assert isinstance(error, errors.InvalidApiKey)
    assert error.correlation_id == record["headers"]["mistral-correlation-id"]


# Failures known by their words, where a code is missing or says less


REASONING = "reasoning_effort='medium' is not supported. Must be one of (<ReasoningEffort.none: 'none'>)"
REPORT = {
    "detail": [{"loc": ["body", "messages", 0, "content"], "msg": "Input should be valid", "input": "PATIENT"}]
}
BLOCKED = "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"

WORDS: dict[str, tuple[httpx2.Response, type[errors.UpstreamError], list[str], list[str]]] = {
    "angle brackets": (
        reply(400, mistral_body(400, "invalid_request_invalid_args", "3051", REASONING)),
        errors.RequestRefused,
        [REASONING.rstrip(".")],
        [],
    ),
    "markup": (
        reply(400, {"message": 'Do <b>not</b> look <img src="x" onerror="y"> here'}),
        errors.RequestRefused,
        ["Do not look here"],
        ["<", "onerror"],
    ),
    "JSON in a string": (
        reply(422, mistral_body(422, "internal_error_proxy", "1000", json.dumps(REPORT))),
        errors.RequestRefused,
        ["Input should be valid (field messages.0.content)"],
        ["PATIENT", "detail"],
    ),
    "a list in a string": (
        reply(422, {"detail": json.dumps(REPORT["detail"])}),
        errors.RequestRefused,
        ["Input should be valid (field messages.0.content)"],
        ["PATIENT"],
    ),
    "broken JSON in a string": (
        reply(422, {"message": '{"detail": [{"input": "PATIENT'}),
        errors.RequestRefused,
        ["refused the request."],
        ["PATIENT"],
    ),
    "a string in a string in a string": (
        reply(422, {"message": json.dumps({"message": json.dumps(REPORT)})}),
        errors.RequestRefused,
        ["refused the request."],
        ["PATIENT"],
    ),
    "pydantic's text": (
        reply(
            422, {"detail": "Input should be a string [type=string_type, input_value='PATIENT', input_type=str]"}
        ),
        errors.RequestRefused,
        ["Input should be a string."],
        ["PATIENT"],
    ),
    "plain text": (reply(400, "top_p is too high\n"), errors.RequestRefused, [": top_p is too high."], []),
    "nothing": (reply(400, ""), errors.RequestRefused, ["refused the request."], []),
    "capacity without a code": (
        reply(
            429, mistral_body(429, "invalid_request_error", None, "Service tier capacity exceeded for this model.")
        ),
        errors.RateLimited,
        ["no capacity", "not a limit of yours"],
        ["used up"],
    ),
    "capacity as a 503": (
        reply(503, {"message": "Not enough capacity available for this request, please retry later."}),
        errors.RateLimited,
        ["no capacity"],
        [],
    ),
    "a batch too large, without a code": (
        reply(
            400,
            mistral_body(400, "invalid_request_error", None, "Too many tokens in batch. Max is 16384 got 17555"),
        ),
        errors.TooManyInputs,
        ["Split the inputs"],
        [],
    ),
    "a wrong address": (
        reply(404, {"detail": "Not Found"}),
        errors.NotFound,
        ["MISTRAL_MCP_ROUTE"],
        ["misspelt"],
    ),
    "a page of the edge": (
        reply(403, BLOCKED, content_type="text/html; charset=UTF-8", cf_ray="9ba40a321e4d0596-IAD"),
        errors.Unavailable,
        ["web page", "Something on the way"],
        ["plan", "key is fine", "Attention"],
    ),
    "a page where a model was due": (reply(404, "<html></html>"), errors.NotFound, ["MISTRAL_MCP_ROUTE"], []),
    "retired": (reply(410, {"detail": "Gone"}), errors.Retired, ["retired", "HTTP 410"], ["Try again"]),
    "another model": (
        reply(400, mistral_body(400, "invalid_model", "1500", "Invalid model: mistral-medium-3.5")),
        errors.UnknownModel,
        ["mistral-small-latest", "mistral-medium-3.5", "mistral_list_models"],
        [],
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_mistrals_words_decide_where_no_code_does(case: str):
    response, kind, has, lacks = WORDS[case]
    error = error_of(response, exchange())

    assert type(error) is kind
    assert [part for part in has if part not in str(error)] == []
    assert [part for part in lacks if part in str(error)] == []


def test_what_an_error_says_depends_on_what_was_called():
    missing = reply(404, {"detail": "Not Found"})
    fim, jobs, file = (
        replace(exchange(), operation=operation)
        for operation in (
            "POST /v1/fim/completions",
            "GET /v1/fine_tuning/jobs/{job_id}",
            "GET /v1/files/{file_id}",
        )
    )

    assert "codestral.mistral.ai" in str(error_of(reply(401, {"detail": "Unauthorized"}), fim))
    assert "fine-tuned before" in str(error_of(reply(410, {"detail": "Gone"}), jobs))
    assert "moment" in str(error_of(missing, file))
    assert "MISTRAL_MCP_ROUTE" not in str(error_of(missing, file))


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (
            {"type": "invalid_function_call", "code": "3280", "message": "Tool call id was x"},
            errors.RequestRefused,
            "Tool",
        ),
        (
            {"type": "rate_limited", "code": "1300", "message": "Rate limit exceeded"},
            errors.RateLimited,
            "rate limit",
        ),
        (
            {"type": "invalid_model", "code": None, "message": "Invalid model: x"},
            errors.UnknownModel,
            "mistral_list",
        ),
        (
            {"type": None, "code": None, "message": "Service tier capacity exceeded"},
            errors.RateLimited,
            "capacity",
        ),
        ({"type": None, "code": "3600", "message": "Oh"}, errors.Unavailable, "server error"),
    ],
)
def test_an_error_inside_a_success_is_reported_by_code_type_and_words_and_has_no_invented_status(
    event: dict[str, Any], kind: type[errors.UpstreamError], words: str
):
    error = error_in(json.dumps({"object": "error", "param": None, **event}), exchange())

    assert type(error) is kind
    assert error.status is None
    assert words in str(error)
    assert "HTTP" not in str(error)


# This machine's network


def set_cause(error: httpx2.TransportError, cause: BaseException) -> httpx2.TransportError:
    error.__cause__ = cause
    return error


LOCAL = {
    "SSL_CERT_FILE": set_cause(httpx2.ConnectError("x"), ssl.SSLCertVerificationError(1, "self-signed")),
    "DNS": set_cause(httpx2.ConnectError("x"), socket.gaierror(-2, "Name or service not known")),
    "NO_PROXY": httpx2.ProxyError("403 Forbidden"),
}


@pytest.mark.parametrize("setting", LOCAL)
def test_what_is_wrong_with_this_machine_s_network_is_reported_with_the_setting_that_fixes_it(setting: str):
    error = failures.connection_error(LOCAL[setting], exchange(repeatable=False))

    assert failures.is_hopeless(LOCAL[setting])
    assert isinstance(error, errors.LocalNetworkError)
    assert setting in error.advice
    assert "machine" in error.what
    assert error.retry_after is None


# Streams, broken replies, broken connections, deadlines


def test_an_error_inside_a_stream_is_an_error():
    event = json.dumps(mistral_body(429, "backend_out_of_capacity", "3505", "Not enough capacity"))
    error = error_in(event, exchange())
    assert isinstance(error, errors.RateLimited)
    assert (error.status, error.code) == (429, "3505")
    assert isinstance(error_in('{"error": {"message": "oops"}}', exchange()), errors.Unavailable)


@pytest.mark.parametrize(("code", "kind"), [(3000, errors.Unavailable), (429, errors.RateLimited)])
def test_the_error_event_of_a_conversation_is_one_too(code: int, kind: type[errors.UpstreamError]):
    event = json.dumps({"type": "conversation.response.error", "message": "Out of order.", "code": code})
    error = error_in(event, exchange())
    assert isinstance(error, kind)
    assert error.code == str(code)


@pytest.mark.parametrize(
    "data", ['{"choices": [{"finish_reason": "error"}]}', '{"choices": []}', "no json", "[1]"]
)
def test_a_piece_of_an_answer_is_no_error(data: str):
    assert error_in(data, exchange()) is None


@pytest.mark.parametrize(
    ("body", "looks"),
    [(b" \n", "it is empty"), (b"<html>", "it is a web page"), (b'{"id": "cut', "it has an unexpected shape")],
)
def test_a_reply_that_cannot_be_read_says_how_it_looks(body: bytes, looks: str):
    error = failures.malformed_reply(reply(200, body, mistral_correlation_id="m-1"), exchange("base"))
    assert isinstance(error, errors.Unavailable)
    assert str(error) == (
        f"Mistral at proxy.example:8443 sent a reply that cannot be read: {looks}. Try again in 30 s. "
        "(HTTP 200, correlation id m-1)"
    )


def test_every_exception_of_httpx2_has_its_sentence():
    """All but those that only URLs and cookie jars raise, which no transport meets."""
    everything = {
        value for value in vars(httpx2).values() if isinstance(value, type) and issubclass(value, Exception)
    } - {httpx2.InvalidURL, httpx2.CookieConflict}
    assert {kind for kind in everything if kind not in kinds.DROPPED and not issubclass(kind, Warning)} == set()


@pytest.mark.parametrize("kind", [*kinds.DROPPED, type("NewError", (httpx2.ReadError,), {})])
def test_a_broken_connection_is_reported_without_the_exceptions_own_text(kind: type):
    error = kind.__new__(kind)
    error.args = (f"failed at https://api.lava.so/v1/forward?u=x with {KEY}",)
    mapped = failures.connection_error(error, exchange("lava-byok", attempts=3))
    assert isinstance(mapped, errors.LocalNetworkError if kind is httpx2.ProxyError else errors.Unavailable)
    assert "the lava gateway" in str(mapped).lower()
    assert "3 attempts" in str(mapped)
    assert not any(part in str(mapped) for part in (KEY, "https", "forward"))


DROPPED = {
    "direct": (httpx2.ReadError("x"), True, ("Mistral dropped the connection before its answer was complete in one "
               "attempt. Try again in 30 s.")),
    "cloudflare": (httpx2.ConnectTimeout("x"), False, ("The Cloudflare AI Gateway could not be reached in one attempt. "
                   "Try again in 30 s.")),
    "base": (httpx2.RemoteProtocolError("x"), False, ("Mistral at proxy.example:8443 dropped the connection before its "
             "answer was complete in one attempt. The operation may have succeeded; check before retrying.")),
    "lava": (httpx2.LocalProtocolError("x"), False, ("The request to the Lava gateway could not be sent in one attempt. "
             "Retrying does not help: check the key and MISTRAL_MCP_ROUTE.")),
}  # fmt: skip


@pytest.mark.parametrize("route", DROPPED)
def test_a_broken_connection_names_who_broke_it(route: str):
    error, repeatable, text = DROPPED[route]
    assert str(failures.connection_error(error, exchange(route, repeatable=repeatable))) == text


def test_a_deadline_says_who_was_waited_for_how_long_and_how_often():
    error = failures.timeout_error(exchange(attempts=2), 55.0)
    assert isinstance(error, errors.TimedOut)
    assert str(error) == (
        "Mistral did not finish within 55 s, waits and attempts included. "
        "Ask for less at once, or have MISTRAL_MCP_TIMEOUT raised. (2 attempts)"
    )


# Worth repeating, and when


@pytest.mark.parametrize("case", ["a throttle", "capacity", "A, a server error", "G, empty", "G, a page"])
def test_what_may_pass_is_worth_repeating(case: str):
    assert is_transient(SENTENCES[case][0])


@pytest.mark.parametrize(
    "case", sorted(SENTENCES.keys() - {"a throttle", "a throttle that says when", "capacity"})
)
def test_no_other_refusal_is_worth_repeating(case: str):
    response = SENTENCES[case][0]
    assert is_transient(response) == (response.status_code >= 500)


@pytest.mark.parametrize("case", ["its spend limit", "its rate limit", "its token", "Lava's wallet", "no gateway"])
def test_a_gateways_own_rules_are_not_worth_repeating(case: str):
    assert not is_transient(GATEWAYS[case][1])


@pytest.mark.parametrize("status", [501, 505, 508, 525, 529])
def test_statuses_that_nobody_promised_to_repeat_are_not(status: int):
    assert not is_transient(reply(status))


@pytest.mark.parametrize(
    "header",
    ["x-ratelimit-limit-tokens-minute", "x-ratelimit-limit-ocr-pages-minute", "ratelimitbysize-limit",
     "x-ratelimitbysize-limit-month"],
)  # fmt: skip
def test_a_limit_of_0_is_found_in_any_dimension(header: str):
    response = httpx2.Response(429, headers={header: "0", "x-ratelimit-remaining-req-minute": "0"}, content=b"")
    assert not is_transient(response)
    assert not is_transient(httpx2.Response(429, headers={header: " 0 "}, content=b""))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "20"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "20"}, 20),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after": "Mon, 99 Foo 2026 99:99:99 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None):
    assert retry_after(httpx2.Headers(headers)) == seconds


def test_retry_after_may_be_a_date():
    date = formatdate(time.time() + 30, usegmt=True)
    assert retry_after(httpx2.Headers({"retry-after": date})) == pytest.approx(30, abs=2)


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=40))
def test_no_retry_after_is_too_strange(value: str):
    seconds = retry_after(httpx2.Headers({"retry-after": value, "retry-after-ms": value}))
    assert seconds is None or seconds >= 0


# What never gets into an error


BEARER = f"Authorization: Bearer {KEY}"
SECRETS = [KEY, TOKEN, base64.b64encode(KEY.encode()).decode(), base64.b64encode(b"x:" + KEY.encode()).decode()]


@pytest.mark.parametrize(
    "message",
    [
        BEARER,
        f"bad header\r\n{BEARER}",
        f"https://user:{KEY}@host/path?api_key={KEY}",
        f"Basic {base64.b64encode(KEY.encode()).decode()}",
        f"{'x' * 290} {KEY} and more",
        f"token {TOKEN}",
        f"forward token {base64.b64encode(json.dumps({'secret_key': TOKEN, 'provider_key': KEY}).encode()).decode()}",
    ],
)
def test_a_secret_that_mistral_echoes_is_masked(message: str):
    text = str(error_of(reply(400, mistral_body(400, "x", KEY, message), cf_ray=KEY), exchange(model=KEY)))
    assert not any(secret in text for secret in SECRETS)
    assert KEY[:8] not in text


@pytest.mark.parametrize(
    "stray",
    ["sk-abcdefghijklmnopqrstuvwx", "ghp_abcdefghijklmnop", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
     "?X-Amz-Signature=abcdef0123456789", "Bearer abcdefghijklmnop"],
)  # fmt: skip
def test_somebody_elses_credential_is_masked_by_its_shape(stray: str):
    text = str(error_of(reply(400, {"message": f"cannot use {stray} here"}), exchange()))
    assert stray not in text
    assert "[masked]" in text


def test_no_input_no_page_no_list_and_no_wall_of_text_is_echoed():
    assert "own text" not in str(error_of(reply(422, {"detail": [EXTRA]}), exchange()))
    assert "boss" not in str(error_of(GATEWAYS["no stored key"][1], exchange("cloudflare")))
    page = error_of(reply(400, {"message": "<!DOCTYPE html><body>Blocked</body>"}), exchange())
    assert page.what == "Mistral refused the request."
    plain = error_of(reply(400, "Traceback (most recent call last)\n  File x"), exchange())
    assert plain.what == "Mistral refused the request."
    folded = error_of(reply(400, {"message": "one\n  two\x1b[31m" + "x " * 5000}), exchange())
    assert folded.what.startswith("Mistral refused the request: one two [31mx x x")
    assert len(folded.what) < 350


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.sampled_from([KEY, BEARER, TOKEN, *SECRETS]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["message", "detail", "error", "errors", "code", "type", "param", "loc", "msg", "name", "guardrails",
             "results", "decisions", "violated", "internalCode", "success", "raw_status_code", "object", KEY]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip
bodies = (
    st.binary(max_size=400)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.tuples(st.binary(max_size=50), st.sampled_from([s.encode() for s in SECRETS])).map(b"".join)
    | st.just(b'{"message":' * 300)
)


@given(body=bodies, status=st.integers(300, 599), route=st.sampled_from(sorted(ROUTES)), lava=st.booleans())
def test_any_reply_makes_a_short_error_without_a_secret(body: bytes, status: int, route: str, lava: bool):  # noqa: FBT001
    headers = {"cf-ray": KEY, "retry-after": TOKEN} | ({"x-lava-request-id": BEARER} if lava else {})
    response = httpx2.Response(status, content=body, headers=headers)
    found = [
        error_of(response, exchange(route)),
        failures.malformed_reply(response, exchange(route)),
    ]
    event = error_in(body.decode(errors="replace"), exchange(route))
    for error in [*found, event] if event else found:
        assert isinstance(error, errors.UpstreamError)
        assert len(str(error)) < 1000
        assert "\n" not in str(error)
        assert not any(secret in str(error) + repr(error) for secret in SECRETS)
    assert is_transient(response) in {True, False}
