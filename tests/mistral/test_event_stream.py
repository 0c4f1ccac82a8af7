"""Server-sent events as they are met: sloppy, broken off, without end."""

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import httpx2
import pytest

from mistral_mcp.mistral import event_stream
from mistral_mcp.mistral.event_stream import read_events
from mistral_mcp.mistral.transports.bodies import BodyTooLarge

EVENTS = {
    "plain": (b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n', ['{"a": 1}', '{"b": 2}']),
    "with a byte order mark": (b'\xef\xbb\xbfdata: {"a": 1}\n\ndata: [DONE]\n\n', ['{"a": 1}']),
    "with blanks after DONE": (b'data: {"a": 1}\n\ndata: [DONE]  \r\n\r\n', ['{"a": 1}']),
    "without DONE": (b'data: {"a": 1}\n\n', ['{"a": 1}']),
    "without the last blank line": (b'data: {"a": 1}\n', ['{"a": 1}']),
    "without the last line break": (b'data: {"a": 1}', ['{"a": 1}']),
    "with CRLF, comments, ids and times": (
        b': hi\r\nid: 1\r\nretry: 9\r\n\r\ndata: {"a": 1}\r\n\r\n',
        ['{"a": 1}'],
    ),
    "over several lines": (b'data: {"a":\ndata: 1}\n\n', ['{"a":\n1}']),
    "a bare line of JSON": (b'{"object": "error"}\n\n', ['{"object": "error"}']),
    "a bare line behind an event": (
        b'data: {"a": 1}\n\n{"object": "error"}\n',
        ['{"a": 1}', '{"object": "error"}'],
    ),
    "nothing": (b"", []),
}


class Body(httpx2.AsyncByteStream):
    def __init__(self, content: bytes, size: int) -> None:
        self.content = content
        self.size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), self.size):
            yield self.content[start : start + self.size]


def response(stream: httpx2.AsyncByteStream) -> httpx2.Response:
    request = httpx2.Request("POST", "https://api.mistral.ai/")
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=stream, request=request)


@pytest.mark.parametrize("size", [1000, 7, 4])
@pytest.mark.parametrize("case", EVENTS)
async def test_events_are_read_in_all_their_shapes(case: str, size: int):
    content, events = EVENTS[case]

    assert [data async for data in read_events(response(Body(content, size)))] == events


class Flood(httpx2.AsyncByteStream):
    """Comments without end, which never wait for the network."""

    sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1
            yield b": nothing\n" * 1000


async def test_a_flood_of_comments_ends_when_its_reader_is_gone():
    flood = Flood()
    with anyio.move_on_after(0.05) as scope:
        async for _ in read_events(response(flood)):
            pass

    assert scope.cancelled_caught


async def test_a_flood_leaves_others_their_turn_and_has_an_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_stream, "_WHOLE", 5_000_000)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count_turns)
        with pytest.raises(BodyTooLarge):
            async for _ in read_events(response(Flood())):
                pass
        group.cancel_scope.cancel()
    assert turns > 50
