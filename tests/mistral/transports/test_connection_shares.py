"""How the connections to Mistral are shared between callers."""

from dataclasses import dataclass

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import Settings
from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports.connection_shares import ConnectionShares
from mistral_mcp.mistral.transports.exchange import Caller

ANSWER = {"model": "m", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
HANGING = "0" * 31


@dataclass
class Holder:
    connections: int = 0


def take_all(shares: ConnectionShares, holder: Holder, most: int = 1000) -> int:
    while holder.connections < most and shares.take_nowait(holder):
        pass
    return holder.connections


def test_one_caller_alone_gets_many_and_not_all():
    assert take_all(ConnectionShares(1000), Holder()) == 58
    assert take_all(ConnectionShares(1), Holder()) == 1


@pytest.mark.parametrize(("callers", "most"), [(1, 1000), (10, 1000), (60, 1000), (126, 8), (150, 8)])
def test_a_newcomer_finds_a_connection_whatever_the_others_hold(callers: int, most: int):
    shares = ConnectionShares(1000)
    for _ in range(callers):
        take_all(shares, Holder(), most)

    assert take_all(shares, Holder()) >= 1


async def test_who_waits_gets_what_is_given_back():
    shares, first, second = ConnectionShares(1), Holder(), Holder()
    assert shares.take_nowait(first)
    async with anyio.create_task_group() as group:
        group.start_soon(shares.take, second)
        await anyio.wait_all_tasks_blocked()
        assert second.connections == 0
        shares.release(first)
    assert second.connections == 1
    assert shares.free == 0


async def test_who_gives_up_waiting_takes_nothing():
    shares, first, second = ConnectionShares(1), Holder(), Holder()
    shares.take_nowait(first)
    with anyio.move_on_after(0):
        await shares.take(second)
    shares.release(first)
    assert (shares.free, second.connections) == (1, 0)


class Hanging(httpx2.AsyncBaseTransport):
    """Mistral, that never answers some keys."""

    def __init__(self) -> None:
        self.under_way = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if HANGING in request.headers["authorization"]:
            self.under_way += 1
            await anyio.sleep_forever()
        return httpx2.Response(200, json=ANSWER)


async def test_126_keys_whose_calls_hang_starve_no_other_key():
    wire = Hanging()
    settings = Settings(max_retries=0)
    upstream = Upstream(settings, wire)

    async def chat(key: str) -> None:
        client = upstream.client(Caller.of(SecretStr(key), "a test", settings.route, None))
        await client.send(ChatCall(model="m", messages=[]))

    async with anyio.create_task_group() as group:
        for number in range(126):
            for _ in range(8):
                group.start_soon(chat, f"{HANGING}{number:03}")
        await anyio.wait_all_tasks_blocked()
        assert wire.under_way > 900
        with anyio.fail_after(2):
            await chat("another-key-altogether-0123456789")
        group.cancel_scope.cancel()
    await upstream.aclose()
