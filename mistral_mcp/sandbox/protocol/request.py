"""Received requests, kept so that a test can inspect them."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope


@dataclass(eq=False)
class Received:
    """One received request, and its outcome.

    `started` and `finished` are times of `time.monotonic`, in seconds; `finished` is None while the request is in flight.
    `status` is that of the reply.
    """

    method: str
    path: str
    query: QueryParams
    headers: dict[str, str]
    body: bytes
    started: float = field(default_factory=time.monotonic)
    finished: float | None = None
    status: int | None = None
    disconnected: bool = False
    _hang_up: anyio.Event = field(default_factory=anyio.Event, repr=False)

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def key(self) -> str | None:
        """The API key in the Authorization header, without `Bearer`; None if there is none."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return key.strip() or None
        return None

    async def wait_for_disconnect(self) -> None:
        """Wait until the client has disconnected during this request, and the sandbox has stopped answering it."""
        await self._hang_up.wait()

    def end(self) -> None:
        """Record that the request is finished. Only now do those who wait for the disconnect continue."""
        self.finished = time.monotonic()
        if self.disconnected:
            self._hang_up.set()


async def read_request(scope: Scope, receive: Receive) -> Received | None:
    """The whole request, or None if the client disconnected before sending all of it."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    headers = Headers(scope=scope)
    return Received(
        method=scope["method"],
        path=scope["path"],
        query=QueryParams(scope["query_string"]),
        headers={name.lower(): ", ".join(headers.getlist(name)) for name in headers},
        body=b"".join(parts),
    )
