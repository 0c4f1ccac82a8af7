"""Reads request bodies within bounds: of size, of time, and of the bytes that all requests under way hold together."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

DEADLINE = 60.0
"""Seconds for a whole body, and for its turn."""
_SMALL = 16 * 1024
"""Bytes that are not counted."""


class BodyError(Exception):
    """A body that is not read. `status` is the answer's."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Bodies:
    """The bodies of requests under way in this process."""

    def __init__(self, largest: int, *, total: int = 64 * 1024 * 1024, deadline: float = DEADLINE) -> None:
        self._largest = largest
        self._total = max(total, 2 * largest)
        self._per_caller = max(total // 4, largest)
        self._deadline = deadline
        self._held: Counter[str] = Counter()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def read(self, receive: Receive, headers: Headers, caller: str) -> AsyncGenerator[bytes]:
        """The whole body, counted until the request is done.

        Raises `BodyError`, or `ClientDisconnect` where the client hangs up. `caller` is whose share of the memory it takes.
        """
        size = self._size_to_reserve(headers)
        try:
            async with asyncio.timeout(self._deadline):
                await self._reserve(caller, size)
        except TimeoutError:
            raise BodyError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server is busy with large requests. Try again in a few seconds.",
            ) from None
        try:
            yield await self._receive(receive)
        finally:
            self._release(caller, size)

    def _size_to_reserve(self, headers: Headers) -> int:
        """The bytes to reserve: as many as may come, where their number is not said."""
        length = headers.get("content-length")
        if length is None:
            return self._largest
        if int(length) > self._largest:
            raise self._too_large()
        return int(length)

    async def _reserve(self, caller: str, size: int) -> None:
        while size > _SMALL and not self._has_room(caller, size):
            await self._freed.wait()
        self._held[caller] += size

    def _has_room(self, caller: str, size: int) -> bool:
        return self._held[caller] + size <= self._per_caller and self._held.total() + size <= self._total

    def _release(self, caller: str, size: int) -> None:
        self._held[caller] -= size
        if self._held[caller] <= 0:
            del self._held[caller]
        self._freed.set()
        self._freed = asyncio.Event()

    async def _receive(self, receive: Receive) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._deadline):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    body += message.get("body", b"")
                    if len(body) > self._largest:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise BodyError(
                HTTPStatus.REQUEST_TIMEOUT, f"The body did not come within {self._deadline:.0f} seconds."
            ) from None

    def _too_large(self) -> BodyError:
        return BodyError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is larger than {self._largest:,} bytes. Upload large files and name them by id, or send links.",
        )


def replay(body: bytes, receive: Receive) -> Receive:
    """What an app receives whose body was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        if messages:
            return messages.pop()
        return await receive()

    return receive_again
