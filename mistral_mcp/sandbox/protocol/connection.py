"""The server's end of one connection: sends a reply, or interrupts it."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio
from starlette.types import Receive, Scope, Send

from mistral_mcp.sandbox.protocol.errors import error_body
from mistral_mcp.sandbox.protocol.replies import Reply, compact
from mistral_mcp.sandbox.protocol.request import Received

ABORT = "sandbox.abort"
"""The ASGI extension with which `serving` lets the app close the connection."""

ERROR_EVENT = compact(error_body(500, "Service unavailable.", "internal_server_error", "3000"))
CONVERSATION = '"type":"conversation.response.started"'
CONVERSATION_ERROR_EVENT = compact(
    {"type": "conversation.response.error", "message": "Service unavailable.", "code": 3000}
)
DONE = "[DONE]"


@dataclass(frozen=True)
class Interruption:
    """Where a reply is interrupted.

    `cut` closes the connection: after half of the reply, or after `after` events of a stream (before the body of a plain
    reply). `no_done` and `error_event` end a stream cleanly and do not affect plain replies. A `bare` error is sent without
    `data:`.
    """

    cut: bool = False
    after: int | None = None
    no_done: bool = False
    error_event: bool = False
    bare: bool = False


class Connection:
    """Sends replies, interrupts them, and notices when the client disconnects."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._abort: Callable[[], None] | None = scope.get("extensions", {}).get(ABORT)
        self._hung_up = anyio.Event()
        self._complete = False
        self._broken = False

    async def run(self, received: Received, exchange: Awaitable[None]) -> None:
        """Run the exchange; stop as soon as the client disconnects, and record that on the request."""

        async def listen() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._hung_up.set()
            if not self._complete:
                received.disconnected = True
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await exchange
                tasks.cancel_scope.cancel()
        except anyio.get_cancelled_exc_class():
            # In process there is no connection to close: a client that disconnects cancels this task.
            received.disconnected = True
            raise
        if self._broken:
            raise ConnectionResetError("the sandbox cut the connection, as planned")

    async def send(
        self,
        reply: Reply,
        headers: Mapping[str, str],
        interruption: Interruption = Interruption(),
        chunk_delay: float = 0.0,
    ) -> None:
        """Send the reply, up to the interruption. `chunk_delay`: seconds between events."""
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if reply.events is None and "content-length" not in headers:
            lines.append((b"content-length", str(len(reply.body)).encode()))
        await self._send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": lines,
            }
        )
        if reply.events is not None:
            await self._stream(reply, reply.events, interruption, chunk_delay)
        elif interruption.cut:
            sent = b""
            if interruption.after is None:
                sent = reply.body[: len(reply.body) // 2]
            await self._write(sent)
            await self.cut()
        else:
            await self._finish(reply.body)

    async def cut(self) -> None:
        """Close the connection without sending more."""
        self._complete = True
        if self._abort is None:
            self._broken = True
        else:
            self._abort()
            # Returning before uvicorn has noticed the abort would make it answer 500.
            await self._hung_up.wait()

    async def _stream(
        self, reply: Reply, events: Sequence[str], interruption: Interruption, chunk_delay: float
    ) -> None:
        for number, event in enumerate(_interrupt(events, interruption)):
            if chunk_delay and number:
                await anyio.sleep(chunk_delay)
            await self._write(_frame(event, reply, bare=interruption.bare).encode())
        if interruption.cut:
            await self.cut()
        else:
            await self._finish(b"")

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _finish(self, data: bytes) -> None:
        self._complete = True
        await self._send({"type": "http.response.body", "body": data, "more_body": False})


def _frame(event: str, reply: Reply, *, bare: bool) -> str:
    """The text of one event on the wire."""
    is_error = event in (ERROR_EVENT, CONVERSATION_ERROR_EVENT)
    if is_error and bare:
        return f"{event}\n\n"
    if reply.framed and not is_error:
        return event
    name = ""
    if reply.named:
        name = f"event: {_event_name(event)}\n"
    return f"{name}data: {event}\n\n"


def _event_name(event: str) -> str:
    """The `event:` name of a payload: its `type`, or `error`."""
    payload = json.loads(event)
    if payload.get("object") == "error":
        return "error"
    return str(payload["type"])


def _interrupt(events: Sequence[str], interruption: Interruption) -> Sequence[str]:
    """The events to send, up to the interruption."""
    content = len(events) - (DONE in events)
    after = content // 2
    if interruption.after is not None:
        after = interruption.after

    if interruption.error_event:
        error = ERROR_EVENT
        if events and CONVERSATION in events[0]:
            error = CONVERSATION_ERROR_EVENT
        return [*events[:after], error]
    if interruption.no_done:
        last = max(content - 1, 0)
        if interruption.after is None:
            return events[:last]
        return events[: min(after, last)]
    if interruption.cut:
        return events[:after]
    return events
