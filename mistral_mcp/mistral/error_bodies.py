"""Parses the bodies of failed replies. Mistral has no single error format, and gateways add their own."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httpx2
from pydantic_core import from_json

from mistral_mcp.mistral.quoting import is_page

_SHOWN = 3  # details of a validation error
_LINE = 200  # characters of a plain text that counts as a reason


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The facts of an error's body. Nothing in it is safe to show until `quoting` has cleaned it."""

    gateway: str = ""
    """The gateway that wrote it, "cloudflare" or "lava"; empty for Mistral."""
    mistral: bool = False
    """Whether it looks like one of Mistral's bodies."""
    page: bool = False
    """Whether it is a web page."""
    code: str = ""
    type: str = ""
    reason: str = ""


def read_error_body(response: httpx2.Response) -> ErrorBody:
    """Parse the body of a failed reply. The response must have been read."""
    content = json_object(response.content)
    if not content:
        return _read_text(response)
    if content.get("name") == "AiGatewayError" or (content.get("success") is False and "errors" in content):
        return _cloudflare(content)
    mistral = not content.keys().isdisjoint(("detail", "message", "object", "guardrails"))
    if _is_lavas(response, content, mistral=mistral):
        return ErrorBody("lava", reason=_reason(content))
    return _mistral(content, mistral=mistral)


def read_error_event(content: dict[str, object]) -> ErrorBody:
    """Parse an error event of a stream that had begun successfully."""
    return _mistral(content, mistral=True)


def is_error(content: dict[str, object]) -> bool:
    """Whether a JSON object is an error rather than an answer or a part of one."""
    if "choices" in content:
        return False
    marked = str(content.get("object")).lower() == "error" or str(content.get("type")).endswith(".error")
    return marked or "error" in content


def status_in(content: dict[str, object]) -> int | None:
    """The HTTP status that an error states; None if it states none."""
    status = content.get("raw_status_code", content.get("code"))
    return status if isinstance(status, int) and 400 <= status <= 599 else None  # noqa: PLR2004 - what errors have


def json_object(content: bytes) -> dict[str, object]:
    """The JSON object in a body; empty if it holds none."""
    try:
        return _dict(from_json(content))
    except ValueError:
        return {}


def _read_text(response: httpx2.Response) -> ErrorBody:
    """A web page, a line of plain text, or nothing."""
    text = response.content[: _LINE * 4].decode(errors="replace").strip()
    if is_page(text) or response.headers.get("content-type", "").startswith("text/html"):
        return ErrorBody(page=True)
    if "x-lava-request-id" in response.headers and response.status_code == HTTPStatus.PAYMENT_REQUIRED:
        return ErrorBody("lava")
    is_sentence = len(text) <= _LINE and "\n" not in text and text[:1] not in ("{", "[", "<")
    return ErrorBody(reason=text if is_sentence else "")


def _cloudflare(content: dict[str, object]) -> ErrorBody:
    first = _first(content.get("error") or content.get("errors"))
    code = content.get("internalCode") or first.get("code") or ""
    return ErrorBody("cloudflare", code=str(code), reason=_text(first.get("message") or content.get("message")))


def _is_lavas(response: httpx2.Response, content: dict[str, object], *, mistral: bool) -> bool:
    if "x-lava-request-id" not in response.headers:
        return False
    match response.status_code:
        case HTTPStatus.PAYMENT_REQUIRED:
            return True
        case HTTPStatus.UNAUTHORIZED if not mistral:
            return True
        case _:
            return "error" in content and "guardrails" not in content


def _mistral(content: dict[str, object], *, mistral: bool) -> ErrorBody:
    code = content.get("code")
    param = _text(content.get("param"))
    return ErrorBody(
        mistral=mistral,
        code="" if code is None else str(code),
        type="guardrails" if "guardrails" in content else _text(content.get("type")),
        reason=_with_field(_reason(content), param),
    )


def _reason(content: dict[str, object]) -> str:
    """The reason in any of Mistral's shapes and Lava's: validation details first, then one of the texts."""
    message, detail, error = (content.get(name) for name in ("message", "detail", "error"))
    nested = _dict(message).get("detail")
    for details in (nested, detail, message):
        if isinstance(details, list) and details:
            return _complaints(cast("list[object]", details))
    texts = (_violations(content), message, nested, detail, _dict(error).get("message"), error)
    found = next((text for text in map(_text, texts) if text), "")
    if found[:1] in ("{", "["):
        return _reason_in(found)
    return found


def _reason_in(text: str) -> str:
    """The reason in a report that is JSON in a string; never the report itself, which quotes the caller's input."""
    try:
        report = from_json(text)
    except ValueError:
        return ""
    if isinstance(report, list):
        return _complaints(cast("list[object]", report))
    members = _dict(report)
    is_nested_again = any(_text(value)[:1] in ("{", "[") for value in members.values())
    if is_nested_again:
        return ""
    return _reason(members)


def _complaints(details: list[object]) -> str:
    shown = "; ".join(_complaint(item) for item in details[:_SHOWN])
    more = len(details) - _SHOWN
    if more > 0:
        return f"{shown} (and {more} more)"
    return shown


def _complaint(detail: object) -> str:
    """`msg (field a.b)`, of a validation detail; never its input."""
    place = _dict(detail).get("loc")
    if isinstance(place, list):
        steps = [str(step) for step in cast("list[object]", place)]
    else:
        steps = []
    if steps[:1] == ["body"]:
        del steps[0]
    return _with_field(_text(detail) or _text(_dict(detail).get("msg")), ".".join(steps))


def _with_field(reason: str, field: str) -> str:
    reason = reason.rstrip(" .")
    if field:
        return f"{reason} (field {field})"
    return reason


def _violations(content: dict[str, object]) -> str:
    """The categories for which a guardrail blocked."""
    names: list[str] = []
    for result in _dict(_dict(content.get("guardrails")).get("results")).values():
        decisions = _dict(_dict(result).get("decisions"))
        names += [name for name, decision in decisions.items() if _dict(decision).get("violated") is True]
    return ", ".join(names)


def _first(value: object) -> dict[str, object]:
    if isinstance(value, list):
        items = cast("list[object]", value)
    else:
        items = []
    if items:
        return _dict(items[0])
    return {}


def _dict(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    return {}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return ""
