"""Memory for large things is shared: callers who hold much wait first, and nobody waits forever."""

import anyio
import pytest

from mistral_mcp.bounds.memory import NoRoom, SharedMemory


def make_memory(patience: float = 0.05) -> SharedMemory:
    return SharedMemory(90, lambda free: free * 2 // 3, patience)


async def test_alone_a_caller_has_two_thirds_and_the_next_of_the_rest() -> None:
    memory = make_memory()
    await memory.reserve("a", 60)
    await memory.reserve("b", 20)
    await memory.reserve("c", 6)

    for caller, size in (("a", 1), ("b", 1), ("c", 1), ("d", 3)):
        with pytest.raises(NoRoom) as refused:
            await memory.reserve(caller, size)
        assert refused.value.seconds == 0.05


async def test_who_waits_continues_when_something_is_given_back() -> None:
    memory = make_memory(patience=5)
    await memory.reserve("a", 60)
    async with anyio.create_task_group() as group:
        group.start_soon(memory.reserve, "b", 60)
        await anyio.wait_all_tasks_blocked()
        memory.release("a", 60)

    memory.release("b", 60)
    await memory.reserve("c", 60)
