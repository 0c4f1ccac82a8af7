"""A request as it arrived, kept so that a test can look at it afterwards."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope


@dataclass(eq=False)
class Received:
    """One request, and what became of it.

    `started` and `finished` are on the clock of `time.monotonic`; `finished` is None while it is under way.
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
        """The API key as it was given, without `Bearer`."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return key.strip() or None
        return None

    async def wait_for_hang_up(self) -> None:
        """Wait until the client has closed the connection on this request, and the sandbox has stopped answering it."""
        await self._hang_up.wait()

    def end(self) -> None:
        """Record that nothing more is done for it; whoever waits for the hang-up goes on now, not earlier."""
        self.finished = time.monotonic()
        if self.disconnected:
            self._hang_up.set()


async def read_request(scope: Scope, receive: Receive) -> Received | None:
    """The whole request, or None if the client was gone before it had sent it."""
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
