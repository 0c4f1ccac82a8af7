"""CPU-bound work outside the event loop: one task at a time, and callers take turns."""

import threading
from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest

from mistral_mcp.bounds.heavy_work import run_heavy, work_for


async def test_a_caller_with_many_pieces_keeps_another_waiting_for_one_of_them_only() -> None:
    order: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        may_end.wait(5)
        order.append("many")

    async def bring(caller: str, piece: Callable[[], None]) -> None:
        work_for(caller)
        await run_heavy(piece)

    async with anyio.create_task_group() as group:
        group.start_soon(bring, "many", first)
        await anyio.to_thread.run_sync(begun.wait, 5)
        for _ in range(5):
            group.start_soon(bring, "many", lambda: order.append("many"))
        group.start_soon(bring, "one", lambda: order.append("one"))
        await anyio.wait_all_tasks_blocked()
        may_end.set()

    assert order.index("one") <= 2, order
    assert order.count("many") == 6


async def test_no_two_pieces_run_at_once() -> None:
    running = 0
    most = 0

    def piece() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        sum(range(20_000))
        running -= 1

    async def bring(caller: str) -> None:
        work_for(caller)
        await run_heavy(piece)

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(bring, f"caller {number}")

    assert most == 1


async def test_what_a_piece_raises_reaches_whoever_waits_and_frees_the_turn() -> None:
    def fail() -> None:
        raise ValueError("of the piece")

    with pytest.raises(ValueError, match="of the piece"):
        await run_heavy(fail)

    assert await run_heavy(lambda: 7) == 7
