"""Requests that have one answer and no progress to report: they run without the SDK's stream of events.

For each stream the SDK starts two tasks, opens a channel, and cancels what is left in the end: a tenth of a chat call.
What that is for is kept: a client that leaves ends its request, and one that waits long is sent pings.
"""

import asyncio

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.http.bodies import replay
from mistral_mcp.http.content import event_of

PING = 15.0
"""Seconds; the SDK's. Proxies close connections that seem idle."""

_BEGINNING: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
    ],
}
_PING: Message = {"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True}


class SingleAnswers:
    """Wraps an app whose response is one JSON body. `receive` has to begin with the whole request body."""

    def __init__(self, app: ASGIApp, ping: float = PING) -> None:
        self._app = app
        self._ping = ping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await receive()
        answer = _Answer(send, self._ping)
        with anyio.CancelScope() as running:
            watch = asyncio.create_task(_watch(receive, answer, running))
            try:
                await self._app(scope, replay(request.get("body", b""), receive), answer.send)
            finally:
                answer.end_pings()
                if not answer.is_sent:  # else it ends by itself, since ASGI's `receive` then returns
                    watch.cancel()


async def _watch(receive: Receive, answer: "_Answer", running: anyio.CancelScope) -> None:
    """Cancel `running` when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not answer.is_sent:
        running.cancel()


class _Answer:
    """The answer as it is, or, after pings, as the last event of a stream."""

    def __init__(self, send: Send, ping: float) -> None:
        self._send = send
        self._ping = ping
        self._timer = asyncio.get_running_loop().call_later(ping, self._start_pings)
        self._pings: asyncio.Task[None] | None = None
        self._result_is_here = asyncio.Event()
        self.is_sent = False

    async def send(self, message: Message) -> None:
        has_body = message["type"] == "http.response.body"
        if self._pings is None:
            self._timer.cancel()
            self.is_sent = has_body
            await self._send(message)
        elif has_body:
            self._result_is_here.set()
            await self._pings  # not cancelled: it may be in the middle of a message
            self.is_sent = True
            await self._send({**message, "body": event_of(message["body"])})

    def end_pings(self) -> None:
        self._timer.cancel()
        if self._pings is not None:
            self._pings.cancel()

    def _start_pings(self) -> None:
        self._pings = asyncio.create_task(self._send_pings())

    async def _send_pings(self) -> None:
        await self._send(_BEGINNING)
        while not self._result_is_here.is_set():
            await self._send(_PING)
            with anyio.move_on_after(self._ping):
                await self._result_is_here.wait()
