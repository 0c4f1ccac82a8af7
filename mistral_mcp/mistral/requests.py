"""Builds the HTTP request of a call."""

from typing import Any

import httpx2

from mistral_mcp import __version__
from mistral_mcp.mistral.call import Call
from mistral_mcp.mistral.transports.exchange import Exchange
from mistral_mcp.mistral.transports.urls import parse_url

API = "https://api.mistral.ai"

JSON = httpx2.Headers(
    {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": f"mistral-mcp/{__version__}",
    }
)
EVENTS = JSON | {"accept": "text/event-stream"}
FILE = JSON | {"accept": "*/*"}

# The whole call has a deadline; only connecting has its own timeout, so that another attempt still fits.
_TIMEOUTS = {"connect": 10.0, "read": None, "write": None, "pool": None}


def build_request(call: Call[Any], exchange: Exchange, headers: httpx2.Headers) -> httpx2.Request:
    payload, described = call.payload()
    headers = httpx2.Headers(headers)
    for name, value in described.items():
        headers[name] = value
    return httpx2.Request(
        call.method,
        parse_url(API + call.url()),
        headers=headers,
        # With `content`, httpx2 would compute again what is known.
        stream=payload if isinstance(payload, httpx2.AsyncByteStream) else httpx2.ByteStream(payload or b""),
        extensions={"exchange": exchange, "timeout": _TIMEOUTS},
    )
