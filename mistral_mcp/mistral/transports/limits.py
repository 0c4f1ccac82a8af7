"""Rate limits per key: calls wait in a queue here rather than get 429s.

Mistral counts per key and model, in sliding windows that only its `x-ratelimit-*` headers reveal. So requests are counted
from the first, and limited once a reply has stated the limit. A call first takes one of its key's slots; if its window
turns out to be full, it releases the slot and queues for the window, in order of arrival.
"""

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from itertools import chain
from typing import NamedTuple, cast

import anyio
import httpx2
from pydantic import SecretStr

from mistral_mcp import errors
from mistral_mcp.mistral.retry_after import retry_after
from mistral_mcp.mistral.transports.connection_shares import ConnectionShares
from mistral_mcp.mistral.transports.exchange import Exchange, exchange_of
from mistral_mcp.mistral.transports.key_states import MODEL_NAME, KeyState, KeyStates, ModelQueue, Windows
from mistral_mcp.mistral.transports.shared_windows import SharedWindows
from mistral_mcp.mistral.transports.windows import Reservation, Window, parse_rate_limit_headers
from mistral_mcp.mistral.transports.wire import CONNECTIONS

_WINDOWS = 8  # per model_queue
_QUEUE = 1_000  # calls of one key that may wait
_LONGEST_PAUSE = 3600.0  # seconds; longer Retry-After values are cut to this
_WORTH_REPORTING = 0.25  # seconds
_LOOK_AGAIN = 10.0  # seconds; calls ahead may have given up

_FULL = "The limit of this key is used up for now"
_BUSY = "Other calls with this key are running"
_CROWDED = "Other callers use the connections to Mistral"
_PAUSED = "The last reply requested a pause"


class _Pause(NamedTuple):
    """How long to wait, in seconds, and why; 0: not at all."""

    seconds: float
    why: str


class Limits(httpx2.AsyncBaseTransport):
    """At most `max_concurrency` requests of one key at once, and no faster than the settings and Mistral allow.

    A response holds its slot until it is closed. A wait beyond the caller's deadline is refused with `RateLimited`
    as soon as it is known.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        *,
        max_concurrency: int = 8,
        requests_per_second: float | None = None,
        tokens_per_minute: int | None = None,
        connections: int = CONNECTIONS,
        redis_url: SecretStr | None = None,
        redis_prefix: str = "mistral-mcp:pace:",
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._inner = inner
        self._slots = max_concurrency
        self._per_second = requests_per_second
        self._per_minute = tokens_per_minute
        if redis_url:
            self._shared = SharedWindows(redis_url, redis_prefix, now)
        else:
            self._shared = None
        self._now = now
        self._sleep = sleep
        self._keys = KeyStates(max_concurrency, self._build_windows, now)
        self._shares = ConnectionShares(connections)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(request)
        key = self._keys.of(exchange.caller)
        model_queue = key.model_queue(exchange.model, self._now())
        reservations = await self._enter(exchange, key, model_queue)
        slot = _Slot(key, self._shares, self._now)
        try:
            response = await self._inner.handle_async_request(request)
            self._learn(model_queue, response, reservations)
        except BaseException:
            slot.release()
            raise
        if response.is_closed:
            slot.release()
        else:
            response.stream = SlotHoldingStream(cast("httpx2.AsyncByteStream", response.stream), slot)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()
        if self._shared:
            await self._shared.aclose()

    def _build_windows(self) -> Windows:
        """The windows from the settings, per key."""
        windows: Windows = {}
        if self._per_second:
            whole = max(math.floor(self._per_second), 1)
            windows["req", 1.0] = Window(whole / self._per_second, whole, cost=1, fixed=True)
        if self._per_minute:
            windows["tokens", 60.0] = Window(60, self._per_minute, fixed=True)
        return windows

    async def _enter(self, exchange: Exchange, key: KeyState, model_queue: ModelQueue) -> list[Reservation]:
        """Wait in the queue. Afterwards the request holds a slot and has been counted."""
        if key.waiting >= _QUEUE:
            raise _refusal(
                exchange, f"{_QUEUE} calls with this key wait already", key.slot_seconds * _QUEUE / self._slots
            )
        reservations = [
            Reservation(dimension, window, exchange.tokens if dimension == "tokens" else window.cost)
            for (dimension, _), window in chain(key.windows.items(), model_queue.windows.items())
        ]
        key.waiting += 1
        exchange.queued, since = True, self._now()
        try:
            while (pause := await self._admit(exchange, key, model_queue, reservations)).seconds > 0:
                model_queue.queue[id(reservations)] = exchange.tokens
                await self._report(exchange, pause)
                await self._sleep(min(pause.seconds, _LOOK_AGAIN))
        finally:
            key.waiting -= 1
            exchange.queued_seconds += self._now() - since
            model_queue.queue.pop(id(reservations), None)
        exchange.queued = False  # stays True if it gives up: then the deadline passed in the queue
        return reservations

    async def _admit(
        self, exchange: Exchange, key: KeyState, model_queue: ModelQueue, reservations: list[Reservation]
    ) -> _Pause:
        """Take a slot and a connection and count the request; or do neither, and return how long to wait and why."""
        pause = self._pause(model_queue, reservations)
        if pause.seconds > 0:
            return pause
        waited = await self._take_slot(exchange, key)
        try:
            if waited:
                pause = self._pause(model_queue, reservations)
            if self._shared and pause.seconds <= 0:
                wait = await self._shared.take(key.shared_name, exchange.model[:MODEL_NAME], reservations)
                if wait is None:
                    pause = self._pause(model_queue, reservations)
                else:
                    pause = _Pause(wait, _FULL)
        except BaseException:
            self._give_back(key)
            raise
        if pause.seconds > 0:
            self._give_back(key)
            return pause
        now = self._now()
        for reservation in reservations:
            reservation.bucket = reservation.window.add(now, reservation.amount)
            reservation.used = reservation.window.used
        return pause

    async def _take_slot(self, exchange: Exchange, key: KeyState) -> bool:
        """Take a slot of the key and a connection; returns whether it had to wait."""
        at_once = key.slots.value > 0
        if at_once:
            key.slots.acquire_nowait()
        else:
            await self._report_guess(exchange, _BUSY, key.slot_seconds / self._slots)
            await key.slots.acquire()
        if self._shares.take_nowait(key):
            return not at_once
        try:
            await self._report_guess(exchange, _CROWDED, key.slot_seconds)
            await self._shares.take(key)
        except BaseException:
            key.slots.release()
            raise
        return True

    def _give_back(self, key: KeyState) -> None:
        self._shares.release(key)
        key.slots.release()

    def _pause(self, model_queue: ModelQueue, reservations: list[Reservation]) -> _Pause:
        """How long to wait, as far as this process knows, and why. Requests that queued earlier go first."""
        now = self._now()
        if model_queue.paused_until > now:
            return _Pause(model_queue.paused_until - now, _PAUSED)
        _count_ahead(model_queue, reservations)
        if self._shared and self._shared.up:
            return _Pause(0.0, "")
        wait = 0.0
        for reservation in reservations:
            if reservation.window.limit:  # the reply itself explains a limit of 0
                wait = max(wait, reservation.window.wait(now, reservation.amount, reservation.ahead))
        return _Pause(wait, _FULL)

    async def _report(self, exchange: Exchange, pause: _Pause) -> None:
        if pause.seconds > exchange.remaining:
            raise _refusal(exchange, pause.why, pause.seconds)
        if pause.seconds >= _WORTH_REPORTING:
            await exchange.waiting(pause.why, pause.seconds)

    async def _report_guess(self, exchange: Exchange, why: str, seconds: float) -> None:
        """Report an estimated wait; estimates never refuse a request."""
        guess = min(seconds, exchange.remaining)
        if guess >= _WORTH_REPORTING:
            await exchange.waiting(why, guess)

    def _learn(self, model_queue: ModelQueue, response: httpx2.Response, reservations: list[Reservation]) -> None:
        headers, now = parse_rate_limit_headers(response), self._now()
        for reservation in reservations:
            window, cost = reservation.window, headers.costs.get(reservation.dimension)
            if cost is not None and reservation.bucket is not None:
                window.correct(now, reservation.bucket, cost - reservation.amount)
                window.cost = cost
            name = reservation.dimension, window.seconds
            if name in headers.limits and not window.fixed:
                window.learn(now, headers.limits[name], headers.remaining.get(name), reservation.used)
        for name in headers.limits.keys() - model_queue.windows.keys():
            if len(model_queue.windows) < _WINDOWS:
                if name[0] == "req":
                    cost = 1
                else:
                    cost = headers.costs.get(name[0], 0)
                window = model_queue.windows[name] = Window(name[1], cost=cost)
                window.learn(now, headers.limits[name], headers.remaining.get(name), 0)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and 0 not in headers.limits.values():
            pause = retry_after(response.headers) or 0.0
            model_queue.paused_until = max(model_queue.paused_until, now + min(pause, _LONGEST_PAUSE))


def _count_ahead(model_queue: ModelQueue, reservations: list[Reservation]) -> None:
    """Set the amount that requests ahead in the queue need."""
    if not model_queue.queue:
        return
    calls, tokens = 0, 0
    for who, size in model_queue.queue.items():
        if who == id(reservations):
            break
        calls, tokens = calls + 1, tokens + size
    for reservation in reservations:
        if reservation.dimension == "tokens":
            reservation.ahead = tokens
        else:
            reservation.ahead = calls * reservation.amount


class _Slot:
    """One request's slot and connection; released once."""

    __slots__ = ("_key", "_now", "_shares", "_since")

    def __init__(self, key: KeyState, shares: ConnectionShares, now: Callable[[], float]) -> None:
        self._key: KeyState | None = key
        self._shares = shares
        self._now = now
        self._since = now()

    def release(self) -> None:
        key, self._key = self._key, None
        if key is not None:
            self._shares.release(key)
            key.release_slot(self._now() - self._since)


class SlotHoldingStream(httpx2.AsyncByteStream):
    """A response's body that releases its slot when it is closed."""

    def __init__(self, stream: httpx2.AsyncByteStream, slot: _Slot) -> None:
        self._stream = stream
        self._slot = slot

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._slot.release()


def _refusal(exchange: Exchange, why: str, seconds: float) -> errors.RateLimited:
    seconds = max(math.ceil(seconds), 1)
    return errors.RateLimited(
        f"{why}, and this call cannot wait the {seconds} s until its turn.",
        f"Try again in {seconds} s.",
        retry_after=seconds,
        attempts=max(exchange.attempts, 1),
    )
