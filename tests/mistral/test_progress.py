"""What a listener hears: it only grows, comes at most ten times in any second, and leaves nothing out."""

import bisect
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistral_mcp.mistral.progress import Progress


class Listener:
    """Reports as they come, on a clock that only moves where somebody waits or a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.heard: list[tuple[float, float, float | None, str | None]] = []
        self.progress = Progress(self.report, now=lambda: self.time, sleep=self.sleep)

    async def report(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append((self.time, progress, total, message))

    async def sleep(self, seconds: float) -> None:
        self.time += seconds

    @property
    def texts(self) -> str:
        return "".join(message or "" for *_, message in self.heard)

    @property
    def busiest(self) -> int:
        """The most reports in any second."""
        times = [time for time, *_ in self.heard]
        return max(
            (bisect.bisect_right(times, time + 1) - index for index, time in enumerate(times)),
            default=0,
        )

    @property
    def grows(self) -> bool:
        far = [progress for _, progress, *_ in self.heard]
        return far == sorted(set(far))


@pytest.fixture
def listener() -> Listener:
    return Listener()


async def test_the_first_piece_is_reported_at_once_and_the_next_are_gathered(listener: Listener) -> None:
    for piece in ("One", " two", " three"):
        await listener.progress.text(piece)
    listener.time += 0.2
    await listener.progress.text(" four")
    await listener.progress.flush()

    assert [(progress, message) for _, progress, _, message in listener.heard] == [
        (3, "One"),
        (18, " two three four"),
    ]


async def test_nothing_is_told_of_nothing(listener: Listener) -> None:
    await listener.progress.text("")
    await listener.progress.flush()

    assert listener.heard == []


async def test_a_model_that_thinks_gives_a_sign_of_life_each_second(listener: Listener) -> None:
    for _ in range(100):
        await listener.progress.thinking()
        listener.time += 0.05

    assert [(progress, message) for _, progress, _, message in listener.heard] == [(n, None) for n in range(1, 6)]


async def test_a_wait_counts_one_among_parts_and_never_takes_back_what_was_done(listener: Listener) -> None:
    await listener.progress.parts(128, 3000)
    listener.time += 1
    await listener.progress.waiting("Waiting for its turn")
    listener.time += 1
    await listener.progress.parts(256, 3000)
    await listener.progress.parts(3000, 3000)

    assert [report[1:] for report in listener.heard] == [
        (128, 3000, None),
        (129, 3001, "Waiting for its turn"),
        (257, 3001, None),
        (3001, 3001, None),
    ]


async def test_many_waits_at_once_leave_room_for_what_follows(listener: Listener) -> None:
    for _ in range(50):
        await listener.progress.waiting("Waiting")
    for done in range(1, 60):
        listener.time += 0.03
        await listener.progress.parts(done, 60)
    await listener.progress.parts(60, 60)

    assert listener.busiest <= 10
    assert listener.grows
    _, progress, total, _ = listener.heard[-1]
    assert progress == total


async def test_answers_one_after_the_other_are_told_whole_without_haste(listener: Listener) -> None:
    """As where arguments are asked for again: each answer ends with what is left of it."""
    for number in range(30):
        await listener.progress.text(f"a{number}")
        await listener.progress.text(f"b{number}")
        await listener.progress.flush()

    assert listener.texts == "".join(f"a{number}b{number}" for number in range(30))
    assert listener.busiest <= 10
    assert listener.grows


STEPS: dict[str, Callable[[Progress, int], Awaitable[None]]] = {
    "waiting": lambda progress, _: progress.waiting(None),
    "thinking": lambda progress, _: progress.thinking(),
    "text": lambda progress, number: progress.text(f"<{number}>"),
    "flush": lambda progress, _: progress.flush(),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.floats(0, 0.4)), max_size=120))
@settings(max_examples=100, deadline=None)
async def test_in_any_order_it_grows_and_never_hurries(steps: list[tuple[str, float]]) -> None:
    listener, said = Listener(), ""
    for number, (step, seconds) in enumerate(steps):
        await STEPS[step](listener.progress, number)
        said += f"<{number}>" if step == "text" else ""
        listener.time += seconds
    await listener.progress.flush()

    assert listener.texts == said
    assert listener.busiest <= 10
    assert listener.grows


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.4)), max_size=120))
@settings(max_examples=50, deadline=None)
async def test_parts_and_waits_in_any_order_end_at_the_total(steps: list[tuple[bool, float]]) -> None:
    listener, done = Listener(), 0
    for waits, seconds in steps:
        if waits:
            await listener.progress.waiting("Waiting")
        else:
            done += 1
            await listener.progress.parts(done, 200)
        listener.time += seconds
    await listener.progress.parts(200, 200)

    assert listener.busiest <= 10
    assert listener.grows
    _, progress, total, _ = listener.heard[-1]
    assert progress == total
    assert all(total is None or progress <= total for _, progress, total, _ in listener.heard)


async def test_much_text_comes_in_several_reports_and_all_of_it() -> None:
    heard: list[str] = []

    async def report(_: float, __: float | None, message: str | None) -> None:
        heard.append(message or "")

    async def pass_by(_: float) -> None:
        clock[0] += 1

    clock = [0.0]
    progress = Progress(report, lambda: clock[0], pass_by)
    await progress.text("ab" * 200_000)
    await progress.flush()

    assert "".join(heard) == "ab" * 200_000
    assert max(map(len, heard)) <= 100_000
