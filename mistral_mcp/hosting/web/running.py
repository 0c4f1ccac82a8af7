"""Ends the requests of a connection that is revoked, rotated or expires while they run, on every replica.

The client's response is ended; for the server it looks as if the client had disconnected, which also closes the request to
Mistral.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.errors import RevokedOrExpired, VaultUnavailable
from mistral_mcp.http.responses import error_response

TOKEN_DIGEST = "mistral_mcp.token_digest"  # noqa: S105 - a name in the ASGI scope
"""Key of the ASGI scope under which a resolver stores the digest of the request's token."""

_EVERY = 2.0  # seconds; contract: ended within 5
_TOGETHER = 500

_log = logging.getLogger(__name__)

FindInvalid = Callable[[list[bytes]], Awaitable[set[bytes]]]


class RunningRequests:
    """Tracks the running requests of each token, and checks every two seconds whether the tokens are still valid."""

    def __init__(self, find_invalid: FindInvalid, every: float = _EVERY) -> None:
        self._find_invalid = find_invalid
        self._every = every
        self._running: dict[bytes, set[_Request]] = {}

    def guard(self, app: ASGIApp) -> ASGIApp:
        async def track(scope: Scope, receive: Receive, send: Send) -> None:
            digest: bytes | None = scope.get(TOKEN_DIGEST)
            if digest is None:
                await app(scope, receive, send)
                return
            request = _Request(receive, send)
            self._running.setdefault(digest, set()).add(request)
            try:
                await request.run(app, scope)
            finally:
                self._running[digest].discard(request)
                if not self._running[digest]:
                    del self._running[digest]

        return track

    async def watch(self) -> None:
        """Check until cancelled."""
        while True:
            await anyio.sleep(self._every)
            digests = list(self._running)
            for start in range(0, len(digests), _TOGETHER):
                await self._end_some(digests[start : start + _TOGETHER])

    async def _end_some(self, digests: list[bytes]) -> None:
        try:
            ended = await self._find_invalid(digests)
        except VaultUnavailable:
            return  # logged, and checked again next time
        for digest in ended:
            for request in self._running.get(digest, ()):
                request.end()


class _Request:
    """A running request."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._ended = False
        self._started = False
        self._complete = False
        self._scopes: list[anyio.CancelScope] = []

    def end(self) -> None:
        self._ended = True
        for scope in self._scopes:
            scope.cancel()

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive_until_end, self._send_until_end)
        except Exception:
            if not self._ended:
                raise
            _log.debug("A request of an ended connection failed.", exc_info=True)
        if not self._ended or self._complete:
            return
        if self._started:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        error = RevokedOrExpired("This connection ended while the call ran.", "Create a new connection.")
        await error_response(error)(scope, self._receive, self._send)

    async def _receive_until_end(self) -> Message:
        if not self._ended:
            with anyio.CancelScope() as scope:
                self._scopes.append(scope)
                try:
                    return await self._receive()
                finally:
                    self._scopes.remove(scope)
        return {"type": "http.disconnect"}

    async def _send_until_end(self, message: Message) -> None:
        if self._ended:
            return
        self._started = True
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
