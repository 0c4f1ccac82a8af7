"""Limits on the size and time of a body, and on the memory of all bodies."""

import asyncio
from http import HTTPStatus

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message

from mistral_mcp.http.bodies import Bodies, BodyError

SIZE = 100_000


def make_headers(number: int) -> Headers:
    return Headers({"content-length": str(number)})


async def wait_forever() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def receive_whole() -> Message:
    return {"type": "http.request", "body": b"x" * SIZE, "more_body": False}


async def read(bodies: Bodies, caller: str = "a") -> HTTPStatus | bytes:
    try:
        async with bodies.read(receive_whole, make_headers(SIZE), caller) as body:
            return body
    except BodyError as error:
        return error.status


async def test_a_body_that_does_not_come_is_given_up():
    with pytest.raises(BodyError) as error:
        async with Bodies(SIZE, deadline=0.02).read(wait_forever, make_headers(SIZE), "a"):
            pass
    assert error.value.status == 408


@pytest.mark.parametrize("headers", [make_headers(SIZE + 1), Headers()])
async def test_a_body_beyond_the_limit_is_refused_announced_or_not(headers: Headers):
    with pytest.raises(BodyError) as error:
        async with Bodies(SIZE - 1).read(receive_whole, headers, "a"):
            pass
    assert error.value.status == 413


async def test_a_client_that_disconnects_is_no_error_of_ours():
    async def receive_disconnect() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        async with Bodies(SIZE).read(receive_disconnect, make_headers(SIZE), "a"):
            pass


async def test_one_caller_s_bodies_leave_room_for_others():
    bodies = Bodies(SIZE, total=4 * SIZE, deadline=0.02)
    async with bodies.read(receive_whole, make_headers(SIZE), "a"):
        assert await read(bodies, "a") == HTTPStatus.SERVICE_UNAVAILABLE
        assert await read(bodies, "b") == b"x" * SIZE
    assert await read(bodies, "a") == b"x" * SIZE


async def test_a_body_waits_for_room():
    bodies = Bodies(SIZE, total=2 * SIZE)
    async with (
        bodies.read(receive_whole, make_headers(SIZE), "a"),
        bodies.read(receive_whole, make_headers(SIZE), "b"),
    ):
        waiting = asyncio.create_task(read(bodies, "c"))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == b"x" * SIZE


async def test_small_bodies_do_not_wait():
    async def receive_small() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    bodies = Bodies(SIZE, total=2 * SIZE)
    async with (
        bodies.read(receive_whole, make_headers(SIZE), "a"),
        bodies.read(receive_whole, make_headers(SIZE), "b"),
        bodies.read(receive_small, make_headers(2), "a") as body,
    ):
        assert body == b"{}"
