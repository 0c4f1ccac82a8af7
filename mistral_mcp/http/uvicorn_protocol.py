"""`serve`'s HTTP/1.1 protocol for uvicorn: with deadlines for everything that a client may delay."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from mistral_mcp.http.unread_answers import HIGH_WATER, UnreadAnswers

_PROGRESS = 64 * 1024
"""Bytes of a response that the client must read to count as reading."""
_SHORT = 64 * 1024
"""Bytes of a body that may be copied behind its head."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Time limits for a client, in seconds."""

    head: float = 30
    """From the connection, or a request's first byte, to the end of its head."""
    body: float = 65
    """For a body. An MCP endpoint responds with an error after 60; uploads may continue at the minimum rate."""
    least_rate: float = 16 * 1024
    """Bytes a second."""
    answer: float = 60
    """Without reading, while a response is pending."""

    @property
    def tick(self) -> float:
        """Interval of the checks."""
        return min(self.head, self.body, self.answer) / 10


class InboundConnection(h11.Connection):
    """h11's connection, which also records when a head or a body began, and refuses two lengths."""

    def __init__(self, clock: Callable[[], float], max_incomplete_event_size: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size)
        self._clock = clock
        self.head_since: float | None = clock()
        self.body_since: float | None = None
        self.received = 0
        """Bytes of the body."""
        self._head: list[bytes] = []
        """The head of a short response, until its body is sent."""

    def receive_data(self, data: bytes) -> None:
        if self.their_state is h11.IDLE and self.head_since is None:
            self.head_since = self._clock()
        super().receive_data(data)

    def next_event(self) -> Any:
        event = super().next_event()
        match event:
            case h11.Request():
                self.head_since, self.body_since, self.received = None, self._clock(), 0
                names = {name.lower() for name, _ in event.headers.raw_items()}
                if {b"transfer-encoding", b"content-length"} <= names:
                    # RFC 9112 section 6.1: else the rest could be read as another request (smuggling).
                    raise h11.RemoteProtocolError("both Transfer-Encoding and Content-Length")
            case h11.Data():
                self.received += len(event.data)
            case h11.EndOfMessage():
                self.body_since = None
            case _:
                pass
        return event

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """Keep the head of a short response until its body comes, so that both are sent by one system call."""
        parts = super().send_with_data_passthrough(event)
        if parts is None:
            return None
        if isinstance(event, h11.Response) and _is_short(event):
            self._head = parts
            return []
        head, self._head = self._head, []
        return head + parts


def _is_short(response: h11.Response) -> bool:
    """Whether a response has a body of known size, and little enough to be copied."""
    for name, value in response.headers.raw_items():
        if name == b"content-length":
            return 0 < int(value) <= _SHORT
    return False


class ClientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 by h11.

    httptools would make a call a tenth cheaper. But with uvicorn it loses the body of a request that offers an upgrade, as
    Java's do, treats trailers as headers, and bounds neither heads nor trailers.
    """

    open_connections: ClassVar[set["ClientProtocol"]] = set()
    """All connections of this process."""
    unread_answers: ClassVar[UnreadAnswers] = UnreadAnswers()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        deadlines: Deadlines = Deadlines(),
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        size = config.h11_max_incomplete_event_size or 16 * 1024
        self._inbound = InboundConnection(self.loop.time, size)
        self.conn = self._inbound
        self._deadlines = deadlines
        self._check: asyncio.TimerHandle | None = None
        self._unread: tuple[float, int] | None = None
        """Time and number of bytes since the client last read."""
        self.connected_at = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether no request is running, so that it can be closed without loss."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    @property
    def peer(self) -> str:
        if self.client:
            return self.client[0]
        return ""

    @property
    def address(self) -> str:
        """The client's address: behind a trusted proxy the one that its middleware wrote into the request."""
        scope = cast("dict[str, Any] | None", self.scope)
        if scope and scope["client"]:
            return str(scope["client"][0])
        return self.peer

    @property
    def unread(self) -> int:
        return self.transport.get_write_buffer_size()

    def unread_since(self) -> float:
        """When the client last read a good piece of its answer."""
        now = self.loop.time()
        self._note_reading(now)
        if self._unread is None:
            return now
        return self._unread[0]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Switch Nagle's algorithm off, as asyncio does for its own sockets, but not for those that uvicorn's workers share.

        With it the body of each reply waits 40 ms for the acknowledgement of the headers.
        """
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(cast("asyncio.Transport", transport))
        self.transport.set_write_buffer_limits(HIGH_WATER)
        self.open_connections.add(self)
        self._check = self.loop.call_later(self._deadlines.tick, self._check_deadlines)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_connections.discard(self)
        self.unread_answers.discard(self)
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note_reading(self.loop.time())
        self.unread_answers.add(self)

    def resume_writing(self) -> None:
        self._unread = None
        self.unread_answers.discard(self)
        super().resume_writing()

    def abort(self) -> None:
        """Cut the connection at once."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Respond to invalid HTTP, unless the request was already answered before the rest of it arrived."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _check_deadlines(self) -> None:
        now = self.loop.time()
        if self._head_is_late(now) or self._body_is_late(now) or self._answer_is_unread(now):
            self.abort()
            return
        self._check = self.loop.call_later(self._deadlines.tick, self._check_deadlines)

    def _head_is_late(self, now: float) -> bool:
        since = self._inbound.head_since
        return since is not None and now - since > self._deadlines.head

    def _body_is_late(self, now: float) -> bool:
        since = self._inbound.body_since
        if since is None:
            return False
        if self.flow.read_paused:
            # The server itself does not read at the moment.
            self._inbound.body_since = since + self._deadlines.tick
            return False
        return now - since > self._deadlines.body + self._inbound.received / self._deadlines.least_rate

    def _answer_is_unread(self, now: float) -> bool:
        self._note_reading(now)
        return self._unread is not None and now - self._unread[0] > self._deadlines.answer

    def _note_reading(self, now: float) -> None:
        if self.unread == 0:
            self._unread = None
        elif (
            self._unread is None or self.unread <= self._unread[1] - _PROGRESS or self.unread < self._unread[1] / 2
        ):
            self._unread = (now, self.unread)
