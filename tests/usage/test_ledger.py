"""Counting of usage, its names, and what happens while its store is unavailable."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.mistral.consumption import Consumption
from mistral_mcp.usage.answer import Limits
from mistral_mcp.usage.calls import CallRecord
from mistral_mcp.usage.ledger import Ledger
from mistral_mcp.usage.store import Batch, MemoryUsage

ME = Credentials(None, "a test", connection_id="c1")


def record(*used: Consumption, **members: Any) -> CallRecord:
    usual: dict[str, Any] = {
        "ended_at": 0,
        "tool": "mistral_chat",
        "model": used[0].model if used else None,
        "credentials": ME,
        "client": None,
        "route": "direct",
        "outcome": "ok",
        "ms": 1,
        "request_id": "r",
    }
    return CallRecord(**(usual | {"by_model": used} | members))


class Clock:
    def __init__(self, *when: int) -> None:
        self.now = datetime(*when, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Flaky(MemoryUsage):
    """Is away for a while; a batch that it has seen is added once."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.seen: list[str] = []

    async def add(self, batch: Batch) -> None:
        if batch.id not in self.seen:
            await super().add(batch)
        self.seen.append(batch.id)
        if self.away:
            raise VaultUnavailable("It is away.")


class Busy(MemoryUsage):
    """Another call ends while each batch is written."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger | None = None
        self.batches = 0

    async def add(self, batch: Batch) -> None:
        self.batches += 1
        assert self.batches < 10, "written without a pause"
        assert self.ledger is not None
        self.ledger.calls_ended([record()])
        await super().add(batch)


def ledger(store: MemoryUsage | None = None, clock: Clock | None = None, **options: Any) -> Ledger:
    clock = clock or Clock(2026, 11, 28, 12)
    return Ledger(store or MemoryUsage(), lambda found: found.connection_id or "none", now=clock, **options)


async def test_tokens_are_counted_by_day_tool_and_model():
    clock = Clock(2026, 11, 27, 23, 59)
    sums = ledger(clock=clock)
    sums.calls_ended([record(Consumption("mistral-small-latest", 10, 5, 15, 3, cost_usd=0.5))])
    clock.now = datetime(2026, 11, 28, 0, 1, tzinfo=UTC)
    sums.calls_ended([record(Consumption("mistral-small-latest", 1, 1, 2, cost_usd=0.25), outcome="error")])
    sums.calls_ended([record(tool="mistral_list_models")])
    answer = await sums.usage_of("c1")

    assert answer["today"]["calls"] == 2
    assert answer["today"]["errors"] == 1
    assert answer["month"]["cost_usd"] == 0.75
    assert [(row["day"], row["calls"]) for row in answer["by_day"]] == [("2026-11-27", 1), ("2026-11-28", 2)]
    assert [row["tool"] for row in answer["by_tool"]] == ["mistral_chat", "mistral_list_models"]
    assert [row["model"] for row in answer["by_model"]] == ["mistral-small-latest"]
    assert answer["month"]["total_tokens"] == 17
    assert answer["month"]["cached_tokens"] == 3


async def test_a_new_month_begins_at_nothing():
    clock = Clock(2026, 11, 30, 23)
    sums = ledger(clock=clock)
    sums.calls_ended([record(Consumption("m", 1))])
    clock.now = datetime(2026, 12, 1, tzinfo=UTC)

    assert (await sums.usage_of("c1"))["month"]["calls"] == 0


async def test_a_call_of_several_models_is_one_call_and_each_model_was_asked_once():
    sums = ledger()
    sums.calls_ended([record(Consumption("a", 1), Consumption("b", 2))])
    answer = await sums.usage_of("c1")

    assert answer["month"]["calls"] == 1
    assert [(row["model"], row["calls"]) for row in answer["by_model"]] == [("a", 1), ("b", 1)]


async def test_another_owner_has_used_nothing():
    sums = ledger()
    sums.calls_ended([record(Consumption("a", 1))])

    assert (await sums.usage_of("c2"))["month"]["calls"] == 0


async def test_a_call_that_a_budget_refused_is_none():
    sums = ledger()
    sums.calls_ended([record(outcome="error", counts=False)])

    assert (await sums.usage_of("c1"))["month"]["calls"] == 0


async def test_names_beyond_a_bound_are_other():
    sums = ledger()
    for number in range(200):
        sums.calls_ended([record(Consumption(f"mine-{number}", 1), model="other")])
    sums.calls_ended([record(Consumption("no name\n" * 100, 1), model="other")])
    answer = await sums.usage_of("c1")

    assert len(answer["by_model"]) == 51
    assert answer["by_model"][0]["model"] == "other"
    assert answer["month"]["calls"] == 201


async def test_figures_that_no_column_could_hold_are_bounded():
    sums = ledger()
    sums.calls_ended([record(Consumption("a", 10**40, -5))])

    assert (await sums.usage_of("c1"))["month"]["prompt_tokens"] == 10**15


async def test_a_batch_that_may_have_been_written_is_tried_again_under_its_id():
    store = Flaky()
    sums = ledger(store)
    store.away = True
    sums.calls_ended([record(Consumption("a", 1))])
    with pytest.raises(VaultUnavailable):
        await sums.flush()
    sums.calls_ended([record(Consumption("a", 10))])
    store.away = False
    answer = await sums.usage_of("c1")

    assert answer["month"]["prompt_tokens"] == 11
    assert len(store.seen) == 3
    assert len(set(store.seen)) == 2


async def test_what_is_counted_is_written_when_the_server_ends():
    store = MemoryUsage()
    sums = ledger(store, every=3600)
    async with sums.running():
        sums.calls_ended([record(Consumption("a", 1))])

    assert len(await store.read("c1", "2026-11-01")) == 1


@pytest.mark.parametrize(
    ("own", "ceiling", "expected"),
    [
        (Limits(), Limits(), None),
        (Limits(5, 100), Limits(), (5, 100, 4.5, 99, "2026-11-29T00:00:00Z")),
        (Limits(5, 100), Limits(1, 300), (1, 100, 0.5, 99, "2026-11-29T00:00:00Z")),
        (Limits(), Limits(0.5), (0.5, None, 0, None, "2026-12-01T00:00:00Z")),
        (Limits(0.25, 1), Limits(), (0.25, 1, 0, 0, "2026-12-01T00:00:00Z")),
    ],
)
async def test_the_lower_limits_count(own: Limits, ceiling: Limits, expected: tuple[object, ...] | None):
    sums = ledger(ceiling=ceiling)
    sums.calls_ended([record(Consumption("a", 1, cost_usd=0.5))])
    budget = (await sums.usage_of("c1", own))["budget"]

    assert (budget and tuple(budget.values())) == expected


async def test_calls_that_end_while_a_batch_is_written_wait_for_the_next_one():
    store = Busy()
    store.ledger = sums = ledger(store)
    sums.calls_ended([record()])
    await sums.flush()

    assert store.batches == 1
    assert sums.unwritten("c1")[0] == 1
