"""How calls of one key wait their turn: places, windows that replies teach, and one window for many replicas."""

import gc
import heapq
import logging
import os
import secrets
import shutil
import socket
import subprocess
import time
from itertools import chain

import anyio
import httpx2
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from mistral_mcp import errors
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports import key_states
from mistral_mcp.mistral.transports import limits as limits_module
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.mistral.transports.limits import Limits
from mistral_mcp.mistral.transports.windows import Window, parse_rate_limit_headers
from mistral_mcp.route import Route
from mistral_mcp.sandbox import Sandbox

REDIS = "redis://127.0.0.1:6379/0"


class Clock:
    """Time that passes when nobody has anything else to do."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken = anyio.Event()
        heapq.heappush(self._sleepers, (self.time + seconds, len(self.slept), woken))
        while not woken.is_set():
            for _ in range(100):  # whatever else can run, runs first
                await anyio.lowlevel.checkpoint()
            if not woken.is_set() and self._sleepers[0][2] is woken:
                self.time = max(self.time, heapq.heappop(self._sleepers)[0])
                woken.set()


class Body(httpx2.AsyncByteStream):
    """A body that knows whether it was closed."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.closed = 0
        self.fault = fault

    async def __aiter__(self):
        yield b"{}"

    async def aclose(self):
        self.closed += 1
        if self.fault:
            raise self.fault


class Upstream(httpx2.AsyncBaseTransport):
    """Answers at once, or when `go` is set, with the headers it was given."""

    def __init__(self, *headers: dict[str, str], status: int = 200) -> None:
        self.headers = list(headers) or [{}]
        self.status = status
        self.go: anyio.Event | None = None
        self.under_way = self.peak = 0
        self.requests: list[httpx2.Request] = []
        self.closed = False

    async def handle_async_request(self, request):
        self.requests.append(request)
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            if self.go:
                await self.go.wait()
        finally:
            self.under_way -= 1
        headers = self.headers[min(len(self.requests), len(self.headers)) - 1]
        return httpx2.Response(self.status, headers=headers, stream=Body())

    async def aclose(self):
        self.closed = True


def caller_of(key="k" * 32, route="direct"):
    return Caller.of(SecretStr(key), "a test", Route.parse(route), None)


def request_of(
    key="k" * 32, *, model="mistral-small-latest", tokens=0, seconds=50.0, progress=None, route="direct"
):
    exchange = Exchange(
        caller_of(key, route), repeatable=True, deadline=time.monotonic() + seconds, model=model, tokens=tokens
    )
    exchange.progress = progress
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "hi"}]}
    url = "https://api.mistral.ai/v1/chat/completions"
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.Request("POST", url, headers=headers, json=body, extensions={"exchange": exchange})


async def call(limits, *args, **options):
    response = await limits.handle_async_request(request_of(*args, **options))
    await response.aread()
    await response.aclose()
    return response


def minute(limit, remaining, dimension="req"):
    return {
        f"x-ratelimit-limit-{dimension}-minute": str(limit),
        f"x-ratelimit-remaining-{dimension}-minute": str(remaining),
    }


def listener():
    heard = []

    async def report(progress, total, message):
        heard.append(message)

    return heard, Progress(report)


async def settle():
    await anyio.wait_all_tasks_blocked()


# Places


async def test_at_most_so_many_requests_of_one_key_are_in_flight():
    upstream = Upstream()
    upstream.go = anyio.Event()
    limits = Limits(upstream, max_concurrency=3)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(call, limits)
        await settle()
        assert len(upstream.requests) == 3
        upstream.go.set()
    assert upstream.peak == 3
    assert len(upstream.requests) == 10


async def test_calls_go_out_in_the_order_of_their_arrival():
    upstream = Upstream()
    upstream.go = anyio.Event()
    limits = Limits(upstream, max_concurrency=1)
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(lambda n=number: call(limits, tokens=n))
            await settle()
        upstream.go.set()
    assert [request.extensions["exchange"].tokens for request in upstream.requests] == list(range(6))


async def test_one_keys_burst_never_delays_anothers_call():
    upstream = Upstream()
    upstream.go = anyio.Event()
    limits = Limits(upstream, max_concurrency=2)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call, limits, "greedy" * 6)
        await settle()
        tasks.start_soon(call, limits, "modest" * 6)
        await settle()
        assert len(upstream.requests) == 3
        upstream.go.set()


async def test_a_response_holds_its_place_until_it_is_closed_and_gives_it_back_once():
    upstream = Upstream()
    limits = Limits(upstream, max_concurrency=1)
    response = await limits.handle_async_request(request_of())
    await response.aread()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, limits)
        tasks.start_soon(call, limits)
        # Read to the end: httpx2 closes the body by itself.
        await settle()
        assert len(upstream.requests) == 3
    held = await limits.handle_async_request(request_of())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, limits)
        await settle()
        assert len(upstream.requests) == 4
        await held.aclose()
        await held.stream.aclose()
    held = await limits.handle_async_request(request_of())
    with anyio.move_on_after(0) as scope:
        await call(limits)
    assert scope.cancelled_caught
    await held.aclose()


async def test_a_reply_that_was_closed_before_it_came_back_holds_no_place():
    limits = Limits(httpx2.MockTransport(lambda _: httpx2.Response(200, json={})), max_concurrency=1)
    for _ in range(3):
        await limits.handle_async_request(request_of())


async def test_a_place_comes_back_when_the_request_fails():
    def fail(_):
        raise httpx2.ConnectError("no")

    limits = Limits(httpx2.MockTransport(fail), max_concurrency=1)
    for _ in range(3):
        with pytest.raises(httpx2.ConnectError):
            await call(limits)


async def test_a_place_comes_back_when_closing_fails():
    class Failing(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, _):
            return httpx2.Response(200, stream=Body(httpx2.ReadError("gone")))

    limits = Limits(Failing(), max_concurrency=1)
    for _ in range(3):
        response = await limits.handle_async_request(request_of())
        with pytest.raises(httpx2.ReadError):
            await response.aclose()


async def test_cancelled_calls_lose_no_place_whether_waiting_or_in_flight():
    upstream = Upstream()
    upstream.go = anyio.Event()
    limits = Limits(upstream, max_concurrency=2)
    for _ in range(3):
        async with anyio.create_task_group() as tasks:
            for _ in range(9):
                tasks.start_soon(call, limits)
            await settle()
            tasks.cancel_scope.cancel()
    upstream.go.set()
    before = len(upstream.requests)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(9):
                tasks.start_soon(call, limits)
    assert len(upstream.requests) == before + 9


async def test_a_place_handed_over_in_the_moment_of_cancelling_goes_to_the_next():
    upstream = Upstream()
    limits = Limits(upstream, max_concurrency=1)
    held = await limits.handle_async_request(request_of())
    scopes: list[anyio.CancelScope] = []

    async def call_in_scope():
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await call(limits)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_in_scope)
            await settle()
            tasks.start_soon(call, limits)
            await settle()
            await held.aclose()
            scopes[0].cancel()
    await call(limits)


async def test_too_long_a_queue_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(limits_module, "_QUEUE", 5)
    upstream = Upstream()
    upstream.go = anyio.Event()
    limits = Limits(upstream, max_concurrency=1)
    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(call, limits)
        await settle()
        with pytest.raises(errors.RateLimited) as refused:
            await call(limits)
        assert refused.value.retry_after
        upstream.go.set()
    assert len(upstream.requests) == 6


async def test_waiting_for_a_place_is_reported():
    heard, progress = listener()
    limits = Limits(Upstream(), max_concurrency=1)
    held = await limits.handle_async_request(request_of())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(limits, progress=progress))
        await settle()
        await held.aclose()
    assert len(heard) == 1
    assert "running" in heard[0]


# Windows


async def test_a_limit_that_a_reply_teaches_holds_for_what_went_before_it_too():
    clock, upstream = Clock(), Upstream(*({} for _ in range(9)), minute(10, 0))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    for _ in range(10):
        await call(limits, seconds=100)
    assert clock.slept == []
    await call(limits, seconds=100)
    assert sum(clock.slept) == pytest.approx(61, abs=1.1)


async def test_the_wait_for_the_window_is_reported_in_words_and_seconds():
    heard, progress = listener()
    clock, upstream = Clock(), Upstream(minute(1, 0))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits, seconds=100, progress=progress)
    assert heard == []
    await call(limits, seconds=100, progress=progress)
    assert heard[0] == "The limit of this key is used up for now; waiting 62 s"
    assert 1 < len(heard) < 10


async def test_a_wait_beyond_the_deadline_is_refused_at_once_and_says_when_to_come_back():
    clock, upstream = Clock(), Upstream(minute(1, 0))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits)
    clock.time += 20
    with pytest.raises(errors.RateLimited) as refused:
        await call(limits, seconds=30)
    assert refused.value.retry_after == pytest.approx(42, abs=2)
    assert str(refused.value).count(f"{refused.value.retry_after} s") == 2  # what happened, and what to do
    assert refused.value.attempts == 1
    assert clock.slept == []
    assert len(upstream.requests) == 1


async def test_a_moment_too_long_is_a_second_to_come_back_in():
    clock, upstream = Clock(), Upstream(minute(1, 0))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits)
    clock.time += 61.8
    with pytest.raises(errors.RateLimited) as refused:
        await call(limits, seconds=0.01)

    assert refused.value.retry_after == 1


async def test_whoever_queues_behind_others_is_refused_by_the_time_those_need():
    clock, upstream = Clock(), Upstream(minute(2, 1), minute(2, 0))
    asleep = anyio.Event()

    async def sleep(_):
        asleep.set()
        await anyio.sleep_forever()

    limits = Limits(upstream, now=clock.now, sleep=sleep)
    await call(limits)
    clock.time += 30
    await call(limits)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(limits, seconds=35))  # the first slides out in 31 s
        await asleep.wait()
        with pytest.raises(errors.RateLimited) as refused:
            await call(limits, seconds=35)  # the second in 61 s
        assert refused.value.retry_after == pytest.approx(62, abs=1)
        tasks.cancel_scope.cancel()


async def test_calls_that_queued_before_the_limit_was_known_are_refused_once_it_is():
    clock = Clock()
    sandbox = Sandbox(requests_per_minute=10, now=clock.now)
    limits = Limits(httpx2.ASGITransport(sandbox), now=clock.now, sleep=clock.sleep)
    refused: list[float] = []

    async def call_and_count():
        try:
            assert (await call(limits, seconds=100)).status_code == 200
        except errors.RateLimited:
            refused.append(clock.time)

    async with anyio.create_task_group() as tasks:
        for _ in range(25):
            tasks.start_soon(call_and_count)
    assert refused == [1000.0] * 5
    assert len(sandbox.requests) == 20
    assert clock.time == pytest.approx(1062, abs=1)


async def test_those_who_wait_for_the_window_go_in_the_order_of_their_arrival():
    clock = Clock()
    sandbox = Sandbox(requests_per_minute=2, now=clock.now)
    limits = Limits(httpx2.ASGITransport(sandbox), now=clock.now, sleep=clock.sleep)
    sent: list[tuple[float, int]] = []

    async def call_and_note(number):
        await call(limits, seconds=1000)
        sent.append((clock.time // 60, number))

    await call_and_note(0)
    await call_and_note(0)
    async with anyio.create_task_group() as tasks:
        for number in range(1, 9):
            tasks.start_soon(call_and_note, number)
    assert sorted(sent[2:]) == sorted(sent[2:], key=lambda each: each[1])
    assert len(sandbox.requests) == 10


async def test_models_of_one_key_have_windows_of_their_own():
    clock, upstream = Clock(), Upstream(minute(1, 0))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits, model="small")
    await call(limits, model="large")
    assert clock.slept == []


async def test_a_model_that_waits_for_its_window_holds_no_place():
    clock, upstream = Clock(), Upstream(minute(1, 0))
    asleep = anyio.Event()

    async def sleep(_):
        asleep.set()
        await anyio.sleep_forever()

    limits = Limits(upstream, max_concurrency=1, now=clock.now, sleep=sleep)
    await call(limits, seconds=100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(limits, seconds=100))
        await asleep.wait()
        await call(limits, model="other")
        tasks.cancel_scope.cancel()


async def test_what_another_process_used_counts_and_is_given_back_over_the_minute():
    clock, upstream = Clock(), Upstream(minute(60, 0))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits)
    await call(limits)
    assert sum(clock.slept) == pytest.approx(1, abs=0.1)


async def test_tokens_are_paced_by_estimate_and_by_what_a_reply_says_it_cost():
    spent = {"x-ratelimit-tokens-query-cost": "700"}
    clock, upstream = Clock(), Upstream(minute(1000, 300, "tokens") | spent)
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits, tokens=100, seconds=100)
    await call(limits, tokens=300, seconds=100)
    assert clock.slept == []
    await call(limits, tokens=1, seconds=100)
    assert sum(clock.slept) == pytest.approx(61, abs=1.1)


async def test_a_request_larger_than_the_whole_window_goes_out_alone():
    clock, upstream = Clock(), Upstream(minute(1000, 1000, "tokens"))
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits)
    await call(limits, tokens=5000)
    assert clock.slept == []


async def test_a_limit_of_zero_is_left_to_the_reply():
    clock, upstream = Clock(), Upstream(minute(0, 0), status=429)
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    for _ in range(3):
        assert (await call(limits)).status_code == 429
    assert clock.slept == []


async def test_a_429_with_retry_after_holds_that_model_back_and_no_other():
    clock, upstream = Clock(), Upstream({"retry-after": "7"}, {}, status=429)
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits)
    await call(limits, model="other")
    assert clock.slept == []
    await call(limits)
    assert clock.slept == [7]


async def test_what_was_learned_is_forgotten_when_the_key_is_idle():
    clock, upstream = Clock(), Upstream(minute(1, 0), {})
    limits = Limits(upstream, now=clock.now, sleep=clock.sleep)
    await call(limits)
    clock.time += 1000
    for _ in range(3):
        await call(limits)
    assert clock.slept == []


async def test_settings_set_the_pace_from_the_first_call():
    clock, upstream = Clock(), Upstream()
    limits = Limits(upstream, requests_per_second=2, now=clock.now, sleep=clock.sleep)
    start = clock.time
    for model in "abcdefgh":
        await call(limits, model=model)
    assert clock.time - start == pytest.approx(3, abs=0.2)


async def test_fewer_than_one_request_a_second_can_be_requested():
    clock = Clock()
    limits = Limits(Upstream(), requests_per_second=0.25, now=clock.now, sleep=clock.sleep)
    await call(limits)
    await call(limits)
    assert clock.slept == [pytest.approx(4, abs=0.2)]


async def test_tokens_per_minute_can_be_set():
    clock = Clock()
    limits = Limits(Upstream(), tokens_per_minute=100, now=clock.now, sleep=clock.sleep)
    await call(limits, tokens=60, seconds=100)
    await call(limits, tokens=60, model="other", seconds=100)
    assert sum(clock.slept) == pytest.approx(61, abs=1.1)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("x-ratelimit-limit-req-minute", ({("req", 60): 5}, {}, {})),
        ("X-RateLimit-Remaining-Tokens-Minute", ({}, {("tokens", 60): 5}, {})),
        ("x-ratelimit-limit-req-10-second", ({("req", 10): 5}, {}, {})),
        ("x-ratelimit-limit-audio-seconds-minute", ({("audio-seconds", 60): 5}, {}, {})),
        ("x-ratelimit-ocr-pages-query-cost", ({}, {}, {"ocr-pages": 5})),
        ("ratelimitbysize-limit", ({("tokens", 60): 5}, {}, {})),
        ("ratelimitbysize-query-cost", ({}, {}, {"tokens": 5})),
        ("x-ratelimitbysize-remaining-minute", ({}, {("tokens", 60): 5}, {})),
        ("x-ratelimitbysize-remaining-month", ({}, {}, {})),
        ("x-ratelimit-limit-tokens-month", ({}, {}, {})),
        ("x-ratelimit-limit-requests", ({}, {}, {})),
        (f"x-ratelimit-limit-req-{'9' * 5_000}-second", ({}, {}, {})),
        ("x-ratelimit-reset", ({}, {}, {})),
        ("x-ratelimit-limit", ({}, {}, {})),
        ("ratelimitbysize-reset", ({}, {}, {})),
        ("ratelimitbysize", ({}, {}, {})),
        ("date", ({}, {}, {})),
    ],
)
def test_headers_are_read_by_their_form(header, expected):
    assert parse_rate_limit_headers(httpx2.Response(200, headers={header: "5"})) == expected
    for odd in ("many", "9" * 400):
        assert parse_rate_limit_headers(httpx2.Response(200, headers={header: odd})) == ({}, {}, {})


def test_limits_that_come_with_a_cached_answer_are_somebody_elses():
    headers = minute(5, 5) | {"cf-aig-cache-status": "HIT"}
    assert parse_rate_limit_headers(httpx2.Response(200, headers=headers)) == ({}, {}, {})


def test_a_window_never_lets_more_through_than_its_limit_in_any_stretch_of_its_length():
    window, now, sent = Window(60, 30, cost=1), 0.0, []
    while len(sent) < 200:
        now += window.wait(now, 1)
        if window.wait(now, 1) == 0:
            window.add(now, 1)
            sent.append(now)
            now += 0.37
    assert all(later - earlier > 60 for earlier, later in zip(sent, sent[30:], strict=False))
    assert sent[-1] < 62.5 * (200 / 30)


# State


async def test_keys_are_remembered_in_bounded_number_and_never_as_themselves(monkeypatch):
    monkeypatch.setattr(key_states, "_REMEMBERED", 300)
    monkeypatch.setattr(key_states, "_MODELS", 5)
    limits = Limits(Upstream())
    for number in range(200):
        await call(limits, f"secret-key-{number:04}", model="m")
        await call(limits, "the-only-one", model=f"model-{number}" + "x" * 9999)
    queues = [key.model_queues for key in limits._keys.states.values()]
    weights = [1 + len(each) for each in queues]
    assert 100 < len(weights) < 150
    assert sum(weights) <= 300
    assert all(len(each) <= 5 for each in queues)
    assert all(len(name) <= 100 for name in chain.from_iterable(queues))
    gc.collect()
    text = repr(
        [(digest, [getattr(key, name) for name in key.__slots__]) for digest, key in limits._keys.states.items()]
    )
    assert "secret-key" not in text
    assert "the-only-one" not in text


async def test_idle_keys_are_forgotten():
    clock = Clock()
    limits = Limits(Upstream(), now=clock.now, sleep=clock.sleep)
    for number in range(20):
        await call(limits, f"key-{number}")
    clock.time += 1000
    for _ in range(20):
        await call(limits, "still here")
    assert len(limits._keys.states) == 1


async def test_closing_closes_what_is_below():
    upstream = Upstream()
    async with Limits(upstream):
        pass
    assert upstream.closed


# Against the sandbox


async def test_ninety_calls_at_once_on_a_limit_of_sixty_a_minute_earn_no_429():
    clock = Clock()
    sandbox = Sandbox(requests_per_minute=60, now=clock.now)
    limits = Limits(httpx2.ASGITransport(sandbox), now=clock.now, sleep=clock.sleep)
    statuses: list[int] = []

    async def call_and_note():
        statuses.append((await call(limits, seconds=600)).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(90):
            tasks.start_soon(call_and_note)
    assert statuses == [200] * 90
    assert clock.time - 1000 == pytest.approx(61, abs=1.1)


# With Redis


@pytest.fixture
async def redis_prefix():
    """A prefix of its own on the Redis of this machine."""
    prefix = f"test-{secrets.token_hex(8)}:"
    redis = Redis.from_url(REDIS)
    try:
        await redis.ping()
    except (RedisError, OSError):
        await redis.aclose()
        if os.environ.get("CI"):
            pytest.fail(f"no Redis on {REDIS}")
        pytest.skip(f"no Redis on {REDIS}")
    yield prefix
    async for name in redis.scan_iter(f"{prefix}*"):
        await redis.delete(name)
    await redis.aclose()


async def test_two_replicas_on_one_redis_keep_one_window_upstream(redis_prefix):
    sandbox = Sandbox(requests_per_minute=60)
    replicas = [
        Limits(httpx2.ASGITransport(sandbox), redis_url=SecretStr(REDIS), redis_prefix=redis_prefix)
        for _ in range(2)
    ]
    statuses: list[int] = []
    refused: list[errors.RateLimited] = []

    async def call_and_note(limits):
        try:
            statuses.append((await call(limits)).status_code)
        except errors.RateLimited as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        for number in range(90):
            tasks.start_soon(call_and_note, replicas[number % 2])
    assert statuses == [200] * 60
    assert len(refused) == 30
    assert all(50 < (error.retry_after or 0) <= 62 for error in refused)
    for limits in replicas:
        await limits.aclose()


async def test_a_limit_learned_by_one_replica_holds_for_the_other(redis_prefix):
    clock = Clock()
    one, other = (
        Limits(
            Upstream(minute(2, 1)) if number == 0 else Upstream(),
            redis_url=SecretStr(REDIS),
            redis_prefix=redis_prefix,
            now=clock.now,
            sleep=clock.sleep,
        )
        for number in range(2)
    )
    await call(one)
    await call(one)
    with pytest.raises(errors.RateLimited):
        await call(other)
    await one.aclose()
    await other.aclose()


async def test_on_one_redis_keys_and_models_have_windows_of_their_own_and_a_refusal_says_why(redis_prefix):
    clock = Clock()
    limits = Limits(
        Upstream(minute(1, 0)),
        redis_url=SecretStr(REDIS),
        redis_prefix=redis_prefix,
        now=clock.now,
        sleep=clock.sleep,
    )
    await call(limits)
    await call(limits, "another-key-of-a-caller")
    await call(limits, model="another")
    with pytest.raises(errors.RateLimited, match=r"^The limit of this key is used up for now"):
        await call(limits)
    await limits.aclose()


async def test_on_one_redis_the_paces_of_two_keys_or_two_models_are_not_added_up(redis_prefix):
    one, other = (
        Limits(Upstream(), requests_per_second=0.1, redis_url=SecretStr(REDIS), redis_prefix=redis_prefix)
        for _ in range(2)
    )
    await call(one, seconds=5)
    await call(other, "another-key-of-a-caller", seconds=5)
    await call(other, model="another", seconds=5)
    with pytest.raises(errors.RateLimited):
        await call(other, seconds=5)
    await one.aclose()
    await other.aclose()


async def test_settings_are_one_pace_for_all_replicas_and_the_window_slides(redis_prefix):
    upstream = Upstream()
    replicas = [
        Limits(upstream, requests_per_second=20, redis_url=SecretStr(REDIS), redis_prefix=redis_prefix)
        for _ in range(2)
    ]
    start = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(call, replicas[number % 2])
    assert 2 <= time.monotonic() - start < 4
    for limits in replicas:
        await limits.aclose()


async def test_redis_holds_no_key_in_clear_and_forgets(redis_prefix):
    limits = Limits(Upstream(minute(9, 8)), redis_url=SecretStr(REDIS), redis_prefix=redis_prefix)
    await call(limits, "a-very-secret-key", tokens=5)
    redis = Redis.from_url(REDIS)
    names = [name async for name in redis.scan_iter(f"{redis_prefix}*")]
    assert len(names) == 2
    for name in names:
        assert b"secret" not in name
        assert b"secret" not in b"".join(sum((await redis.hgetall(name)).items(), ()))
        assert 0 < await redis.ttl(name) < 1000
    await redis.aclose()
    await limits.aclose()


async def test_a_cancelled_call_leaves_no_answer_behind_for_the_next(redis_prefix):
    limits = Limits(Upstream(minute(1000, 999)), redis_url=SecretStr(REDIS), redis_prefix=redis_prefix)
    await call(limits)
    for number in range(40):
        with anyio.move_on_after(number * 0.00002):
            await call(limits)
        await call(limits)
    await limits.aclose()


@pytest.fixture
def private_redis(tmp_path):
    """A Redis that may die, and its URL."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no redis-server")
        pytest.skip("no redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers: list[subprocess.Popen[bytes]] = []

    def start():
        options = ["--port", str(port), "--save", "", "--dir", str(tmp_path), "--requirepass", "sesame"]
        servers.append(subprocess.Popen([program, *options], stdout=subprocess.DEVNULL))  # noqa: S603 - our own words
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return servers[-1]
            time.sleep(0.02)
        raise AssertionError("redis-server did not start")

    yield f"redis://:sesame@127.0.0.1:{port}/0", start
    for server in servers:
        server.kill()
        server.wait()


async def test_a_redis_that_dies_costs_one_warning_and_little_time_and_is_taken_up_again(private_redis, caplog):
    caplog.set_level(logging.INFO)
    url, start = private_redis
    server = start()
    clock, upstream = Clock(), Upstream(minute(5, 4))
    limits = Limits(upstream, redis_url=SecretStr(url), now=clock.now, sleep=clock.sleep)
    await call(limits)
    server.kill()
    server.wait()
    began = time.monotonic()
    for _ in range(4):
        await call(limits)
    assert time.monotonic() - began < 1
    with pytest.raises(errors.RateLimited):  # paced by what this process knows
        await call(limits)
    for _ in range(3):
        clock.time += 100
        await call(limits)
    ours = [record for record in caplog.records if record.name.startswith("mistral_mcp")]
    assert [record.levelname for record in ours] == ["WARNING"]

    start()
    clock.time += 100
    await call(limits)
    await call(limits)
    ours = [record for record in caplog.records if record.name.startswith("mistral_mcp")]
    assert len(ours) == 2
    assert "sesame" not in caplog.text
    assert str(url) not in caplog.text
    await limits.aclose()


async def test_a_redis_that_accepts_and_never_answers_costs_a_third_of_a_second_once(caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        limits = Limits(Upstream(), redis_url=SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        began = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(call, limits, f"key-{number}")
        for _ in range(20):
            await call(limits)
        assert time.monotonic() - began < 0.8
        await limits.aclose()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("url", ["http://:hush@host", "nonsense:hush", "redis://:hush@host:port"])
def test_a_redis_url_that_cannot_be_used_is_refused_without_repeating_it(url):
    with pytest.raises(errors.BadSetting) as refused:
        Limits(Upstream(), redis_url=SecretStr(url))
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None
