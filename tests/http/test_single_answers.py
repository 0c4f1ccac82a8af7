"""Requests with one answer and no progress: what the client sees while it waits, and when it leaves."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from mistral_mcp.http.content import JSON, AnswerForm
from mistral_mcp.http.single_answers import SingleAnswers
from tests.conftest import serving

pytestmark = pytest.mark.timeout(20)

SOON = 0.02  # seconds between pings
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {}}
BODY = json.dumps(RESULT).encode()
EVENT = b"event: message\r\ndata: " + BODY + b"\r\n\r\n"
PING = b": ping\r\n\r\n"


class SlowApp:
    """Answers with one JSON body, once it may."""

    def __init__(self) -> None:
        self.body = b""
        self.began = anyio.Event()
        self.may_answer = anyio.Event()
        self.was_cancelled = anyio.Event()

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.body = message["body"]
        self.began.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


@pytest.fixture
def app() -> SlowApp:
    return SlowApp()


@asynccontextmanager
async def client_of(app: Any) -> AsyncGenerator[httpx2.AsyncClient]:
    async with (
        serving(Starlette(routes=[Route("/", app)])) as base,
        httpx2.AsyncClient(base_url=base, timeout=10) as http,
    ):
        yield http


@asynccontextmanager
async def request_to(app: Any) -> AsyncGenerator[httpx2.Response]:
    async with client_of(app) as http, http.stream("POST", "/", content=b"{}") as response:
        yield response


async def read_until(parts: AsyncIterator[bytes], end: bytes) -> bytes:
    """What comes, up to and with `end`."""
    received = b""
    while not received.endswith(end):
        received += await anext(parts)
    return received


async def test_an_answer_that_comes_soon_is_sent_as_it_is(app: SlowApp) -> None:
    app.may_answer.set()

    async with request_to(SingleAnswers(app)) as response:
        assert response.headers["content-type"] == "application/json"
        assert await response.aread() == BODY
        assert app.body == b"{}"

        with anyio.fail_after(5):
            await asyncio.gather(*watches())


def watches() -> list[asyncio.Task[Any]]:
    """The tasks that wait for a client to leave; they end with the answer, though the client is still connected."""
    return [task for task in asyncio.all_tasks() if "_watch" in repr(task.get_coro())]


async def test_a_client_that_waits_gets_pings_and_then_the_answer_as_an_event(app: SlowApp) -> None:
    async with request_to(SingleAnswers(app, ping=SOON)) as response:
        parts = response.aiter_raw()
        assert await read_until(parts, PING * 2) == PING * 2
        app.may_answer.set()
        last = await read_until(parts, EVENT)

        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert last.replace(PING, b"") == EVENT


async def test_a_client_that_takes_no_events_waits_for_the_same_json(app: SlowApp) -> None:
    pinged = anyio.Event()

    class JsonOnly:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            form = AnswerForm(send, frozenset({JSON}))

            async def note_pings(message: Message) -> None:
                if message.get("body") == PING:
                    pinged.set()
                await form(message)

            await SingleAnswers(app, ping=SOON)(scope, receive, note_pings)

    async def answer_after_a_ping() -> None:
        await pinged.wait()
        app.may_answer.set()

    async with anyio.create_task_group() as group:
        group.start_soon(answer_after_a_ping)
        async with request_to(JsonOnly()) as response:
            assert response.headers["content-type"] == "application/json"
            assert await response.aread() == BODY


async def test_a_request_ends_when_its_client_leaves(app: SlowApp) -> None:
    async with client_of(SingleAnswers(app)) as http:
        async with anyio.create_task_group() as group:
            group.start_soon(http.post, "/")
            await app.began.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            await app.was_cancelled.wait()


async def test_a_request_ends_when_its_client_leaves_after_a_ping(app: SlowApp) -> None:
    async with client_of(SingleAnswers(app, ping=SOON)) as http:
        async with http.stream("POST", "/") as response:
            await read_until(response.aiter_raw(), PING)
        with anyio.fail_after(5):
            await app.was_cancelled.wait()


async def test_a_failure_of_the_app_is_raised_and_leaves_no_task(app: SlowApp) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("broken")

    before = asyncio.all_tasks()
    with pytest.raises(ValueError, match="broken"):
        await SingleAnswers(fail)({"type": "http"}, Client().receive, Client().send)
    for task in asyncio.all_tasks() - before:
        await asyncio.wait([task])
        assert task.cancelled()


class Client:
    """A client that stays, and takes a message when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.asked = anyio.Event()
        self.may_take = anyio.Event()
        self._body = [b"{}"]

    async def receive(self) -> Message:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await anyio.sleep_forever()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.asked.set()
        await self.may_take.wait()
        self.sent.append(message)


async def test_an_answer_waits_for_a_ping_that_is_on_its_way(app: SlowApp) -> None:
    client = Client()
    async with anyio.create_task_group() as group:
        group.start_soon(SingleAnswers(app, ping=SOON), {"type": "http"}, client.receive, client.send)
        await client.asked.wait()  # the beginning of the events, to a client that is slow to read
        app.may_answer.set()
        await anyio.wait_all_tasks_blocked()
        client.may_take.set()

    types = [message["type"] for message in client.sent]
    bodies = [message["body"] for message in client.sent if "body" in message]
    assert types == ["http.response.start", *["http.response.body"] * len(bodies)]
    assert bodies[-1] == EVENT
    assert set(bodies[:-1]) <= {PING}
    assert not client.sent[-1].get("more_body", False)
