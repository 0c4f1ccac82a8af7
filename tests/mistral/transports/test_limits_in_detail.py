"""What waiting calls are told and kept to, limit by limit: windows that only replies name, settings, queues, connections."""

import anyio
import pytest

from mistral_mcp import errors
from mistral_mcp.mistral.transports import limits as limits_module
from mistral_mcp.mistral.transports.exchange import exchange_of
from mistral_mcp.mistral.transports.limits import Limits
from tests.mistral.transports.test_limits import Clock, Upstream, call, listener, minute, request_of, settle


def make_limits(clock: Clock, upstream: Upstream, **options) -> Limits:
    return Limits(upstream, now=clock.now, sleep=clock.sleep, **options)


# Windows that a reply names


async def test_a_window_of_another_length_is_kept_from_the_reply_that_names_it():
    named = {"x-ratelimit-limit-req-10-second": "2", "x-ratelimit-remaining-req-10-second": "1"}
    clock, upstream = Clock(), Upstream(named, {})
    limits = make_limits(clock, upstream)
    await call(limits)
    await call(limits)
    assert clock.slept == []
    await call(limits)
    assert sum(clock.slept) == pytest.approx(10, abs=0.5)


async def test_what_is_counted_in_other_units_goes_by_the_cost_that_the_last_reply_named():
    seconds = minute(100, 40, "audio-seconds")
    clock = Clock()
    upstream = Upstream(
        seconds | {"x-ratelimit-audio-seconds-query-cost": "60"},
        {"x-ratelimit-audio-seconds-query-cost": "10"},
        {},
    )
    limits = make_limits(clock, upstream)
    await call(limits, seconds=100)
    await call(limits, seconds=100)  # as dear as the first, so it waits until 20 of its 60 are free
    assert sum(clock.slept) == pytest.approx(20, abs=1)
    await call(limits, seconds=100)  # as cheap as the second
    assert sum(clock.slept) == pytest.approx(20, abs=1)


async def test_what_no_reply_names_a_cost_for_is_taken_to_cost_nothing():
    clock, upstream = Clock(), Upstream(minute(100, 0, "audio-seconds"))
    limits = make_limits(clock, upstream)
    await call(limits)
    await call(limits)
    assert clock.slept == []


async def test_calls_that_wait_with_few_tokens_wait_for_the_many_tokens_ahead_of_them():
    clock, upstream = Clock(), Upstream(minute(100, 0, "tokens"))
    asleep = anyio.Event()

    async def sleep(_):
        asleep.set()
        await anyio.sleep_forever()

    limits = Limits(upstream, now=clock.now, sleep=sleep)
    await call(limits, tokens=100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(limits, tokens=100, seconds=100))
        await asleep.wait()
        with pytest.raises(errors.RateLimited) as refused:
            await call(limits, tokens=10, seconds=100)
        assert refused.value.retry_after == pytest.approx(124, abs=3)
        tasks.cancel_scope.cancel()


# Settings


async def test_no_reply_changes_what_the_settings_say():
    generous = {"x-ratelimit-limit-req-second": "100", "x-ratelimit-remaining-req-second": "100"}
    clock, upstream = Clock(), Upstream(generous)
    limits = make_limits(clock, upstream, requests_per_second=1)
    for _ in range(3):
        await call(limits)
    assert sum(clock.slept) == pytest.approx(2, abs=0.2)

    clock, upstream = Clock(), Upstream(minute(10_000, 10_000, "tokens"))
    limits = make_limits(clock, upstream, tokens_per_minute=100)
    await call(limits, tokens=60, seconds=100)
    await call(limits, tokens=60, seconds=100)
    assert sum(clock.slept) == pytest.approx(61, abs=1.1)


# Refusals and pauses


async def test_a_429_without_retry_after_and_a_retry_after_without_429_pause_nothing():
    for upstream in (Upstream(status=429), Upstream({"retry-after": "7"}, status=200)):
        clock = Clock()
        limits = make_limits(clock, upstream)
        await call(limits)
        await call(limits)
        assert clock.slept == []


async def test_a_limit_of_zero_is_left_to_the_reply_whatever_pause_that_asks_for():
    clock, upstream = Clock(), Upstream(minute(0, 0) | {"retry-after": "7"}, status=429)
    limits = make_limits(clock, upstream)
    await call(limits)
    await call(limits)
    assert clock.slept == []


async def test_a_pause_that_a_reply_requested_is_reported_as_one():
    heard, progress = listener()
    clock, upstream = Clock(), Upstream({"retry-after": "7"}, {}, status=429)
    limits = make_limits(clock, upstream)
    await call(limits)
    await call(limits, progress=progress)
    assert heard == ["The last reply requested a pause; waiting 7 s"]


async def test_a_refusal_says_why_and_after_how_many_attempts():
    clock, upstream = Clock(), Upstream(minute(1, 0))
    limits = make_limits(clock, upstream)
    await call(limits)
    request = request_of(seconds=30)
    exchange_of(request).attempts = 3
    with pytest.raises(errors.RateLimited) as refused:
        await limits.handle_async_request(request)

    assert str(refused.value).startswith("The limit of this key is used up for now, and ")
    assert refused.value.attempts == 3


async def test_a_queue_that_is_full_says_so_and_when_it_will_have_gone(monkeypatch):
    monkeypatch.setattr(limits_module, "_QUEUE", 4)
    upstream = Upstream()
    upstream.go = anyio.Event()
    limits = Limits(upstream, max_concurrency=2)
    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(call, limits)
        await settle()
        with pytest.raises(errors.RateLimited) as refused:
            await call(limits)
        upstream.go.set()

    assert str(refused.value).startswith("4 calls with this key wait already, and ")
    assert refused.value.retry_after == 2  # four calls of a second, two at a time


# Waiting


async def test_how_long_a_request_queued_is_added_up_over_its_attempts():
    clock, upstream = Clock(), Upstream(minute(1, 0))
    queued: list[bool] = []

    async def sleep(seconds):
        queued.append(exchange_of(request).queued)
        await clock.sleep(seconds)

    limits = Limits(upstream, now=clock.now, sleep=sleep)
    request = request_of(seconds=1000)
    for _ in range(3):
        response = await limits.handle_async_request(request)
        await response.aclose()
        assert exchange_of(request).queued is False

    assert all(queued)
    assert sum(clock.slept) > 120
    assert exchange_of(request).queued_seconds == pytest.approx(sum(clock.slept))


async def test_a_place_that_is_free_is_taken_without_a_word():
    heard, progress = listener()
    await call(Limits(Upstream(), max_concurrency=1), progress=progress)
    assert heard == []


async def test_the_wait_for_a_place_is_guessed_from_how_long_places_are_held():
    heard, progress = listener()
    clock, upstream = Clock(), Upstream()
    limits = make_limits(clock, upstream, max_concurrency=2)
    first = await limits.handle_async_request(request_of())
    clock.time += 41
    await first.aclose()  # so that a place is held for six seconds on average
    held = [await limits.handle_async_request(request_of()) for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(limits, progress=progress))
        await settle()
        for each in held:
            await each.aclose()

    assert heard == ["Other calls with this key are running; waiting 3 s"]


async def test_the_wait_for_a_connection_that_others_hold_is_reported_and_ends_with_theirs():
    heard, progress = listener()
    upstream = Upstream()
    limits = Limits(upstream, connections=1)
    held = await limits.handle_async_request(request_of("a" * 32))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(limits, "b" * 32, progress=progress))
        await settle()
        assert len(upstream.requests) == 1
        await held.aclose()

    assert heard == ["Other callers use the connections to Mistral; waiting 1 s"]
    assert len(upstream.requests) == 2


async def test_a_pause_that_began_while_a_call_waited_for_a_connection_holds_for_it():
    clock, upstream = Clock(), Upstream({"retry-after": "7"}, {}, status=429)
    upstream.go = anyio.Event()
    limits = make_limits(clock, upstream, connections=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, limits)
        await settle()
        tasks.start_soon(call, limits)
        await settle()
        upstream.go.set()

    assert clock.slept == [7]
    assert len(upstream.requests) == 2
