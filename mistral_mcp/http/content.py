"""Content negotiation (RFC 9110): the media types of requests, and of responses."""

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Send

from mistral_mcp.http.responses import json_rpc_error

JSON = "application/json"
EVENTS = "text/event-stream"

_REMEMBERED = 256
"""Characters of an Accept header that is read once; longer ones are whatever a client makes up."""
_REPLACED = frozenset({b"accept", b"content-type", b"content-length", b"transfer-encoding"})


def refuse_content(headers: Headers) -> Response | None:
    """The error response if the body is not JSON, or is compressed; else None."""
    encodings = ",".join(headers.getlist("content-encoding"))
    if encodings and set(_list_members(encodings)) - {"identity"}:
        return json_rpc_error(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "A compressed body is not accepted: send it without Content-Encoding.",
            {"accept-encoding": "identity"},
        )
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        return json_rpc_error(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body of a request must be JSON: send Content-Type: {JSON}.",
            {"accept": JSON},
        )
    return None


def accepted_forms(headers: Headers) -> frozenset[str]:
    """`JSON`, `EVENTS` or both, as the client accepts; empty if it accepts neither."""
    accepted = ",".join(headers.getlist("accept"))
    if len(accepted) > _REMEMBERED:
        return _find_forms(accepted)
    return _find_forms_once(accepted)


def _find_forms(accepted: str) -> frozenset[str]:
    ranges = dict(_media_ranges(accepted))
    if not ranges:
        return frozenset({JSON, EVENTS})
    return frozenset(form for form in (JSON, EVENTS) if _quality(form, ranges) > 0)


_find_forms_once = lru_cache(maxsize=64)(_find_forms)
"""Clients send the same header with every request."""


def _media_ranges(accepted: str) -> Iterator[tuple[str, float]]:
    for media_range in _list_members(accepted):
        media_type, *parameters = [part.strip() for part in media_range.split(";")]
        weights = [value for name, _, value in (each.partition("=") for each in parameters) if name.strip() == "q"]
        yield media_type, _weight(weights[0]) if weights else 1.0


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """The quality of the most specific range."""
    group = media_type.partition("/")[0]
    for media_range in (media_type, f"{group}/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0


def _list_members(header: str) -> list[str]:
    return [member.strip() for member in header.lower().split(",") if member.strip()]


def sdk_headers(headers: list[tuple[bytes, bytes]], body: bytes) -> list[tuple[bytes, bytes]]:
    """The request's headers, rewritten to the form that the SDK accepts."""
    return [
        *(header for header in headers if header[0] not in _REPLACED),
        (b"accept", f"{JSON}, {EVENTS}".encode()),
        (b"content-type", JSON.encode()),
        (b"content-length", str(len(body)).encode()),
    ]


class AnswerForm:
    """Sends the SDK's response in a form that the client accepts: one JSON body, or events."""

    def __init__(self, send: Send, forms: frozenset[str]) -> None:
        self._send = send
        self._forms = forms
        self._start: Message | None = None
        self._wanted = ""
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            form = Headers(raw=message["headers"]).get("content-type", "").partition(";")[0]
            if message["status"] == HTTPStatus.OK and form not in self._forms:
                self._start, self._wanted = message, next(iter(self._forms))
                return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if self._wanted == JSON:
            # Progress is left out: only the last event is kept, which is the response.
            self._body = _last_event(self._body)
        if not message.get("more_body", False):
            await self._answer(self._start)

    async def _answer(self, start: Message) -> None:
        if self._wanted == JSON:
            body = _event_data(self._body)
        else:
            body = event_of(self._body)
        headers = [header for header in start["headers"] if header[0] not in {b"content-type", b"content-length"}]
        headers += [(b"content-type", self._wanted.encode()), (b"content-length", str(len(body)).encode())]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def event_of(body: bytes) -> bytes:
    """A JSON body as one server-sent event."""
    return b"event: message\r\ndata: %b\r\n\r\n" % body


_END = b"\r\n\r\n"


def _last_event(body: bytes) -> bytes:
    """The part of the body to keep: the last complete event, and the beginning of the next."""
    *events, rest = body.split(_END)
    whole = [event for event in events if not event.startswith(b":")]
    return b"".join(event + _END for event in whole[-1:]) + rest


def _event_data(body: bytes) -> bytes:
    lines = body.split(_END)[0].split(b"\r\n")
    return b"".join(line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:"))
