"""Remembers files that were just uploaded: for a moment, Mistral may not know them yet."""

import time
from collections.abc import Callable

import httpx2
from cachetools import TTLCache

from mistral_mcp.mistral.error_bodies import json_object
from mistral_mcp.mistral.transports.exchange import Exchange

_SECONDS = 60.0
_MOST = 4096
_ID = 100  # characters


class FreshFiles:
    """The ids of the last minute's uploads, with their owners."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._owners: TTLCache[str, str] = TTLCache(_MOST, _SECONDS, timer)

    def note(self, exchange: Exchange, response: httpx2.Response) -> None:
        """Remember a file if this is the reply to an upload."""
        if exchange.operation != "POST /v1/files":
            return
        file_id = json_object(response.content).get("id")
        if isinstance(file_id, str) and 0 < len(file_id) <= _ID:
            self._owners[file_id] = exchange.caller.digest

    def is_requested(self, exchange: Exchange, request: httpx2.Request) -> bool:
        """Whether a request names a file that its caller has just uploaded."""
        if not exchange.repeatable:
            return False
        digest = exchange.caller.digest
        fresh = [file_id for file_id, owner in self._owners.items() if owner == digest]
        if isinstance(request.stream, httpx2.ByteStream):
            body = b"".join(request.stream)
        else:
            body = b""
        return any(file_id in request.url.path or file_id.encode() in body for file_id in fresh)
