"""Replies of the API, before they are sent."""

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A status, headers, and either a body or the events of a stream (each the payload of one `data:` line).

    If `named`, each event has an `event:` line with the `type` of its payload. If `framed`, each event is sent unchanged:
    it already has all of its lines.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    events: Sequence[str] | None = None
    named: bool = False
    framed: bool = False


def json_reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply with a JSON body, as compact as Mistral's."""
    return Reply(status, compact(content).encode(), {"content-type": "application/json", **(headers or {})})


def data_reply(data: bytes, kind: str = "application/octet-stream") -> Reply:
    """A reply whose body is a file."""
    return Reply(200, data, {"content-type": kind})


def html_reply(status: int) -> Reply:
    """The error page that Cloudflare sends if the origin does not answer."""
    page = (
        f"<html>\r\n<head><title>{status} Error</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} Error</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status, page.encode(), {"content-type": "text/html"})


def stream_reply(events: Sequence[str]) -> Reply:
    """A stream of server-sent events. Like the recorded streams, it has no rate-limit headers."""
    headers = {"content-type": "text/event-stream; charset=utf-8", "x-max-retry-attempts-reached": "false"}
    return Reply(headers=headers, events=events)


def named_stream_reply(payloads: Iterable[Mapping[str, Any]]) -> Reply:
    """A stream with named events, as audio and conversations send it. It ends without `[DONE]`."""
    reply = stream_reply([compact(payload) for payload in payloads])
    return replace(reply, named=True)


def compact(content: Any) -> str:
    """JSON without whitespace, and without escaping non-ASCII characters."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def correlation_id() -> str:
    """A UUIDv7, which begins with the time in milliseconds, like Mistral's ids."""
    milliseconds = time.time_ns() // 1_000_000
    random = uuid.uuid4().int
    value = milliseconds << 80 | 0x7 << 76 | (random >> 64 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(uuid.UUID(int=value))
