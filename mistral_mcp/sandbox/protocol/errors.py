"""Mistral's error bodies. They have no common shape: the letters A to G name those that were observed."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from mistral_mcp.sandbox.protocol.replies import Reply, html_reply, json_reply


class ApiError(Exception):
    """Raised by an endpoint to answer with an error instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


def error_body(status: int, message: Any, kind: str, code: str | None = None) -> dict[str, Any]:
    """Shape A, of the inference endpoints. The code is a string of four digits."""
    return {
        "object": "error",
        "message": message,
        "type": kind,
        "param": None,
        "code": code,
        "raw_status_code": status,
    }


def refusal(
    status: int, message: str, kind: str, code: str | None = None, headers: Mapping[str, str] | None = None
) -> ApiError:
    """An error in shape A."""
    return ApiError(json_reply(error_body(status, message, kind, code), status, headers))


def invalid_args(message: str) -> ApiError:
    """400 with code 3051: a well-formed request that cannot be served."""
    return refusal(400, message, "invalid_request_invalid_args", "3051")


def invalid_request(message: str) -> ApiError:
    """400 without a code: a request that makes no sense."""
    return refusal(400, message, "invalid_request_error")


def invalid_body(details: Sequence[Mapping[str, Any]]) -> ApiError:
    """Shape B, 422: an invalid body, with pydantic's details in `message`."""
    body = error_body(422, {"detail": list(details)}, "invalid_request_error")
    return ApiError(json_reply(body, 422))


def invalid_fields(details: Sequence[Mapping[str, Any]]) -> ApiError:
    """Shape C, 422: invalid fields, as the platform endpoints (files, batch, libraries, …) report them."""
    return ApiError(json_reply({"detail": list(details)}, 422))


def invalid_value(message: str, *place: str | int, value: Any = None) -> ApiError:
    """Shape C, 422, for a value that is not checked by pydantic. `place` is its path, such as `"body", "file"`."""
    return invalid_fields(
        [
            {
                "type": "value_error",
                "loc": list(place),
                "msg": f"Value error, {message}",
                "input": value,
            }
        ]
    )


def detail_error(status: int, detail: str, **more: Any) -> ApiError:
    """A `detail` that is a string, as the platform endpoints answer 404 and other statuses."""
    return ApiError(json_reply({"detail": detail, **more}, status))


def unreadable_file(message: str) -> ApiError:
    """400 with code 3310: an image, document or audio that cannot be fetched or decoded."""
    return refusal(400, message, "invalid_request_file", "3310")


def invalid_model(model: str) -> ApiError:
    """400 (not 404): an unknown or retired model, or one of the wrong kind, on an inference endpoint."""
    return refusal(400, f"Invalid model: {model}", "invalid_model", "1500")


def invalid_key_reply() -> Reply:
    """Shape D, 401; the body ends with a newline."""
    return Reply(401, b'{"detail":"Invalid API Key"}\n', {"content-type": "application/json"})


def no_route(request_id: str) -> Reply:
    """Shape E, 404: the gateway, Kong, has no such path. Its request ids have no hyphens."""
    body = {"message": "no Route matched with those values", "request_id": request_id.replace("-", "")}
    return json_reply(body, 404)


def wrong_address() -> Reply:
    """404: a path that this host does not have, with the same body as a missing object."""
    return json_reply({"detail": "Not Found"}, 404)


def wrong_method_reply(allowed: Sequence[str]) -> Reply:
    """405: a known path, with another method than those allowed."""
    return json_reply({"detail": "Method Not Allowed"}, 405, {"allow": ", ".join(allowed)})


GUARDRAIL_BLOCK: Mapping[str, Any] = {
    "error": {"message": "Content blocked by guardrail", "status": 403},
    "guardrails": {
        "results": {
            "moderation_llm_v2": {
                "model_name": "mistral-moderation-2603",
                "decisions": {"violence_and_threats": {"threshold": 0.5, "score": 0.97, "violated": True}},
                "violated": True,
                "action": "block",
            }
        }
    },
}
"""A body in shape F."""


def usual_reply(status: int) -> Reply:
    """Mistral's usual reply with this status."""
    missing: dict[str, Any] = {
        "type": "missing",
        "loc": ["body", "model"],
        "msg": "Field required",
        "input": {},
    }
    shapes: dict[int, Any] = {
        400: error_body(400, "Bad request", "invalid_request_error"),
        402: error_body(402, "Payment required", "invalid_request_error"),
        403: error_body(403, "This model is not available in your subscription tier", "tier_not_allowed", "1910"),
        410: {"detail": "Gone"},
        404: {"message": "Model not-there was not found."},
        422: error_body(422, {"detail": [missing]}, "invalid_request_error"),
        429: error_body(429, "Rate limit exceeded", "rate_limited", "1300"),
        500: error_body(500, "Service unavailable.", "internal_server_error", "3000"),
        503: error_body(503, "Service unavailable.", "unreachable_backend", "1100"),
    }
    if status in shapes:
        return json_reply(shapes[status], status)
    if status == HTTPStatus.UNAUTHORIZED:
        return invalid_key_reply()
    if status >= HTTPStatus.BAD_REQUEST:
        return html_reply(status)
    return Reply(status)
