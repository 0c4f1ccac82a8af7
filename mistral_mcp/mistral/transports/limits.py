"""How fast one key may go: its calls wait their turn here rather than earn 429s.

Mistral counts per key and model, in sliding windows that only its `x-ratelimit-*` headers tell of. So every request is
counted from the first, and held to a limit once a reply has named one. A call takes one of its key's places first; if
its window turns out to be full, it gives the place back and stands in line for the window, whoever came later behind it.
"""

import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from http import HTTPStatus
from typing import TypeVar, cast

import anyio
import httpx2
from pydantic import SecretStr

from mistral_mcp import errors
from mistral_mcp.mistral.retry_after import retry_after
from mistral_mcp.mistral.transports.exchange import Caller, Exchange, exchange_of
from mistral_mcp.mistral.transports.shared_windows import SharedWindows
from mistral_mcp.mistral.transports.windows import Reservation, Window, parse_rate_limit_headers

_KEYS = 10_000  # remembered at once; the one unused for longest goes first
_MODELS = 64  # per key
_WINDOWS = 8  # per model_queue
_NAME = 100  # characters of a model's name, which is whatever a caller wrote
_IDLE = 900.0  # seconds after which a key, or what was learned of a model, is forgotten; no request lasts as long
_QUEUE = 1_000  # calls of one key that may wait
_HOLD = 3600.0  # seconds; a longer Retry-After is believed as far as this
_WORTH_TELLING = 0.25  # seconds
_LOOK_AGAIN = 10.0  # seconds; whoever was ahead may have given up

_FULL = "The limit of this key is used up for now"
_BUSY = "Other calls with this key are under way"
_HELD = "The last reply asked for a pause"

_Windows = dict[tuple[str, float], Window]


class ModelQueue:
    """One key's calls to one model."""

    __slots__ = ("held_until", "queue", "used", "windows")

    def __init__(self, now: float) -> None:
        self.used = now
        self.held_until = now
        self.queue: dict[int, int] = {}  # who waits for a window, in order, and with how many tokens
        self.windows: _Windows = {("req", 60.0): Window(60, cost=1), ("tokens", 60.0): Window(60)}


class KeyState:
    """One key, by a digest. Nobody waits here for another key's calls."""

    __slots__ = ("held_for", "model_queues", "places", "shared_name", "used", "waiting", "windows")

    def __init__(self, now: float, places: int, windows: _Windows, shared_name: str) -> None:
        self.used = now
        self.places = anyio.Semaphore(places, fast_acquire=True)
        self.held_for = 1.0  # seconds that a request keeps its place, of late
        self.waiting = 0
        self.windows = windows
        self.model_queues: OrderedDict[str, ModelQueue] = OrderedDict()
        self.shared_name = shared_name

    def leave(self, since: float, now: float) -> None:
        self.held_for += (now - since - self.held_for) / 8
        self.places.release()


_IdT = TypeVar("_IdT", bound=Hashable)
_StateT = TypeVar("_StateT", KeyState, ModelQueue)


class Limits(httpx2.AsyncBaseTransport):
    """At most `max_concurrency` requests of one key at once, and no faster than the settings and Mistral allow.

    A response keeps its place until it is closed. A wait that would outlast the caller's deadline is refused with
    `RateLimited` as soon as it is known.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        *,
        max_concurrency: int = 8,
        requests_per_second: float | None = None,
        tokens_per_minute: int | None = None,
        redis_url: SecretStr | None = None,
        redis_prefix: str = "mistral-mcp:pace:",
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._inner = inner
        self._places = max_concurrency
        self._per_second = requests_per_second
        self._per_minute = tokens_per_minute
        self._shared = SharedWindows(redis_url, redis_prefix, now) if redis_url else None
        self._now = now
        self._sleep = sleep
        self._salt = secrets.token_bytes(16)
        self._keys: OrderedDict[bytes, KeyState] = OrderedDict()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(request)
        key = self._key(exchange.caller)
        model_queue = _recent(key.model_queues, exchange.model[:_NAME], self._now(), _MODELS, ModelQueue)
        reservations = await self._enter(exchange, key, model_queue)
        since = self._now()
        try:
            response = await self._inner.handle_async_request(request)
            self._learn(model_queue, response, reservations)
        except BaseException:
            key.leave(since, self._now())
            raise
        if response.is_closed:
            key.leave(since, self._now())
        else:
            response.stream = SlotHoldingStream(cast("httpx2.AsyncByteStream", response.stream), self._now, key, since)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()
        if self._shared:
            await self._shared.aclose()

    def _key(self, caller: Caller) -> KeyState:
        """The state of a caller's key. Regions count apart at Mistral, so the kind of route belongs to the key."""
        secret = caller.key or caller.route_token
        name = f"{caller.route.kind} {secret.get_secret_value() if secret else ''}".encode()

        def new(now: float) -> KeyState:
            windows: _Windows = {}
            if self._per_second:
                whole = max(math.floor(self._per_second), 1)
                windows["req", 1.0] = Window(whole / self._per_second, whole, cost=1, fixed=True)
            if self._per_minute:
                windows["tokens", 60.0] = Window(60, self._per_minute, fixed=True)
            return KeyState(now, self._places, windows, hashlib.sha256(b"mistral-mcp pace " + name).hexdigest()[:32])

        digest = hashlib.blake2b(name, key=self._salt, digest_size=16).digest()
        return _recent(self._keys, digest, self._now(), _KEYS, new)

    async def _enter(self, exchange: Exchange, key: KeyState, model_queue: ModelQueue) -> list[Reservation]:
        """Wait for one's turn. The request that comes back from here holds a place and has been counted."""
        if key.waiting >= _QUEUE:
            raise _refusal(exchange, f"{_QUEUE} calls with this key wait already", key.held_for * _QUEUE / self._places)
        reservations = [
            Reservation(dimension, window, exchange.tokens if dimension == "tokens" else window.cost)
            for windows in (key.windows, model_queue.windows)
            for (dimension, _), window in windows.items()
        ]
        key.waiting += 1
        exchange.queued = True
        try:
            while (pause := await self._go(exchange, key, model_queue, reservations))[0] > 0:
                model_queue.queue[id(reservations)] = exchange.tokens
                await self._tell(exchange, *pause)
                await self._sleep(min(pause[0], _LOOK_AGAIN))
        finally:
            key.waiting -= 1
            model_queue.queue.pop(id(reservations), None)
        exchange.queued = False  # not where it gave up: what the deadline cut off was the wait
        return reservations

    async def _go(
        self, exchange: Exchange, key: KeyState, model_queue: ModelQueue, reservations: list[Reservation]
    ) -> tuple[float, str]:
        """Take a place and be counted; or do neither, and say how long to wait and why."""
        pause = self._wait(model_queue, reservations)
        if pause[0] > 0:
            return pause
        at_once = key.places.value > 0
        if at_once:
            key.places.acquire_nowait()
        else:
            # A guess, so nobody is refused for it.
            guess = min(key.held_for / self._places, exchange.remaining)
            if guess >= _WORTH_TELLING:
                await exchange.waiting(_BUSY, guess)
            await key.places.acquire()
        try:
            if not at_once:
                pause = self._wait(model_queue, reservations)
            if self._shared and pause[0] <= 0:
                wait = await self._shared.take(key.shared_name, exchange.model[:_NAME], reservations)
                pause = self._wait(model_queue, reservations) if wait is None else (wait, _FULL)
        except BaseException:
            key.places.release()
            raise
        if pause[0] > 0:
            key.places.release()
            return pause
        now = self._now()
        for reservation in reservations:
            reservation.bucket, reservation.used = (
                reservation.window.add(now, reservation.amount),
                reservation.window.used,
            )
        return pause

    def _wait(self, model_queue: ModelQueue, reservations: list[Reservation]) -> tuple[float, str]:
        """How long, as far as this process knows, and why. Whoever queued earlier goes first."""
        now = self._now()
        if model_queue.held_until > now:
            return model_queue.held_until - now, _HELD
        if model_queue.queue:
            calls, tokens = 0, 0
            for who, size in model_queue.queue.items():
                if who == id(reservations):
                    break
                calls, tokens = calls + 1, tokens + size
            for reservation in reservations:
                reservation.ahead = tokens if reservation.dimension == "tokens" else calls * reservation.amount
        if self._shared and self._shared.up:
            return 0.0, ""
        wait = 0.0
        for reservation in reservations:
            if reservation.window.limit:  # of 0 the reply itself speaks
                wait = max(wait, reservation.window.wait(now, reservation.amount, reservation.ahead))
        return wait, _FULL

    async def _tell(self, exchange: Exchange, seconds: float, why: str) -> None:
        if seconds > exchange.remaining:
            raise _refusal(exchange, why, seconds)
        if seconds >= _WORTH_TELLING:
            await exchange.waiting(why, seconds)

    def _learn(self, model_queue: ModelQueue, response: httpx2.Response, reservations: list[Reservation]) -> None:
        told, now = parse_rate_limit_headers(response), self._now()
        for reservation in reservations:
            window, cost = reservation.window, told.costs.get(reservation.dimension)
            if cost is not None and reservation.bucket is not None:
                window.correct(now, reservation.bucket, cost - reservation.amount)
                window.cost = cost
            name = reservation.dimension, window.seconds
            if name in told.limits and not window.fixed:
                window.learn(now, told.limits[name], told.remaining.get(name), reservation.used)
        for name in told.limits.keys() - model_queue.windows.keys():
            if len(model_queue.windows) < _WINDOWS:
                window = model_queue.windows[name] = Window(
                    name[1], cost=1 if name[0] == "req" else told.costs.get(name[0], 0)
                )
                window.learn(now, told.limits[name], told.remaining.get(name), 0)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and 0 not in told.limits.values():
            pause = retry_after(response.headers) or 0.0
            model_queue.held_until = max(model_queue.held_until, now + min(pause, _HOLD))


class SlotHoldingStream(httpx2.AsyncByteStream):
    """A response's body, which keeps its place until it is closed."""

    def __init__(self, stream: httpx2.AsyncByteStream, now: Callable[[], float], key: KeyState, since: float) -> None:
        self._stream = stream
        self._now = now
        self._key: KeyState | None = key
        self._since = since

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        key, self._key = self._key, None
        try:
            await self._stream.aclose()
        finally:
            if key:
                key.leave(self._since, self._now())


def _recent(
    states: OrderedDict[_IdT, _StateT], name: _IdT, now: float, most: int, new: Callable[[float], _StateT]
) -> _StateT:
    """The state of this name, made if it is new or has been idle for long. The one unused for longest makes room."""
    state = states.get(name)
    if state is None or now - state.used > _IDLE:
        state = states[name] = new(now)
    state.used = now
    states.move_to_end(name)
    oldest = next(iter(states.values()))
    if len(states) > most or now - oldest.used > _IDLE:
        states.popitem(last=False)
    return state


def _refusal(exchange: Exchange, why: str, seconds: float) -> errors.RateLimited:
    seconds = max(math.ceil(seconds), 1)
    return errors.RateLimited(
        f"{why}, and this call cannot wait the {seconds} s that its turn would take.",
        f"Try again in {seconds} s.",
        retry_after=seconds,
        attempts=max(exchange.attempts, 1),
    )
