"""Reads request bodies within bounds: of size, of time, and of the total bytes of all running requests."""

import asyncio
from http import HTTPStatus
from io import BytesIO

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from mistral_mcp.bounds.memory import NoRoom, SharedMemory

DEADLINE = 60.0
"""Seconds for a whole body, queueing included."""
_SMALL = 16 * 1024
"""Bytes that are free of counting."""


class BodyError(Exception):
    """A body that is refused. `status` is that of the response."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Bodies:
    """Reads the bodies of this process's requests."""

    def __init__(self, largest: int, *, total: int = 64 * 1024 * 1024, deadline: float = DEADLINE) -> None:
        self._largest = largest
        self._deadline = deadline
        most = max(total // 4, largest)
        self._memory = SharedMemory(max(total, 2 * largest), lambda free: min(free, most), deadline)

    def read(self, receive: Receive, headers: Headers, caller: str) -> "BodyReading":
        """Reads the whole body, which counts until the context ends: `async with bodies.read(…) as body`.

        Raises `BodyError`, or `ClientDisconnect`. The memory is counted for `caller`.
        """
        return BodyReading(self, receive, headers, caller)

    async def reserve(self, headers: Headers, caller: str) -> int:
        """Reserve memory for a body, and return how much, in bytes. Raises `BodyError`."""
        size = self._size_to_reserve(headers)
        if size <= _SMALL:
            return 0
        try:
            await self._memory.reserve(caller, size)
        except NoRoom:
            raise BodyError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server is busy with large requests. Try again in a few seconds.",
            ) from None
        return size

    def release(self, caller: str, size: int) -> None:
        if size:
            self._memory.release(caller, size)

    def _size_to_reserve(self, headers: Headers) -> int:
        """The bytes to reserve: Content-Length, or the maximum without one."""
        length = headers.get("content-length")
        if length is None:
            return self._largest
        if int(length) > self._largest:
            raise self._too_large()
        return int(length)

    async def receive(self, receive: Receive) -> bytes:
        """The whole body. Raises `BodyError`, or `ClientDisconnect`."""
        body = BytesIO()  # of which bytes are made without a copy
        try:
            async with asyncio.timeout(self._deadline):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    body.write(message.get("body", b""))
                    if body.tell() > self._largest:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return body.getvalue()
        except TimeoutError:
            raise BodyError(
                HTTPStatus.REQUEST_TIMEOUT, f"The body did not arrive within {self._deadline:.0f} seconds."
            ) from None

    def _too_large(self) -> BodyError:
        return BodyError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is larger than {self._largest:,} bytes. Upload large files and name them by id, or send links.",
        )


class BodyReading:
    """A class, because with `contextlib` it would cost as much as the body's parsing."""

    def __init__(self, bodies: Bodies, receive: Receive, headers: Headers, caller: str) -> None:
        self._bodies = bodies
        self._receive = receive
        self._headers = headers
        self._caller = caller
        self._size = 0

    async def __aenter__(self) -> bytes:
        self._size = await self._bodies.reserve(self._headers, self._caller)
        try:
            return await self._bodies.receive(self._receive)
        except BaseException:
            self._release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        self._bodies.release(self._caller, self._size)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` for the app that replays a body already read."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        if messages:
            return messages.pop()
        return await receive()

    return receive_again
