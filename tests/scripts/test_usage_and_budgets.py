"""The proof that calls are counted finds what it is there to find."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from scripts.usage_and_budgets import CountingApp, ObservedReply, shortest

SCOPE: Scope = {"type": "http", "headers": [(b"authorization", b"Bearer key-1")]}


async def observe_reply(sent: bytes, status: int, reply: bytes) -> list[ObservedReply]:
    """What is counted of one exchange, whose bodies come in two pieces each."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": reply[:9], "more_body": True})
        await send({"type": "http.response.body", "body": reply[9:]})

    pieces = iter([(sent[:5], True), (sent[5:], False)])

    async def receive() -> Message:
        body, more = next(pieces)
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(_: Message) -> None: ...

    counting = CountingApp(app)
    await counting(SCOPE, receive, send)
    return counting.seen


async def test_a_whole_reply_is_counted_under_its_key_and_replica():
    [seen] = await observe_reply(b'{"input": "replica-1-call 7"}', 200, b'{"usage": {"total_tokens": 12}}')

    assert (seen.key, seen.replica, seen.tokens) == ("key-1", 1, 12)


@pytest.mark.parametrize(
    ("status", "reply"),
    [(500, b'{"usage": {"total_tokens": 12}}'), (200, b'{"usage": {"total_'), (200, b'{"object": "list"}')],
)
async def test_a_failed_or_broken_reply_is_not(status: int, reply: bytes):
    assert not await observe_reply(b'{"input": "replica-1-call 7"}', status, reply)


@pytest.mark.parametrize(("missing", "seconds"), [(0, 0.0), (5, 1.0), (11, 2.0), (100, float("inf"))])
def test_the_loss_is_reported_in_seconds_of_the_process_that_was_killed(missing: int, seconds: float):
    last = [ObservedReply(at, "key", 0, 10) for at in (99.0, 98.0, 97.0)]

    assert shortest(missing, 100.0, last) == seconds
