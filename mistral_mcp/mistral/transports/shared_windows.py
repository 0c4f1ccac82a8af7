"""The windows of `windows.py`, shared by all replicas through Redis."""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import anyio
from pydantic import SecretStr

from mistral_mcp import errors
from mistral_mcp.mistral.transports.windows import BUCKETS, Reservation

_log = logging.getLogger(__name__)

_PATIENCE = 0.3  # seconds to wait for a Redis that does not answer
_AT_ONCE = 16  # concurrent requests to Redis; when they fail, those queued behind need not try
_PAUSE = 5.0  # seconds until it is tried again

# All windows of one request in one step: it is counted in all of them, or in none while one is full. Buckets are fields of
# a hash, next to the limit that a replica has learned. All replicas use Redis's clock.
_SCRIPT = """
local time = redis.call('TIME')
local now, wait, limits = time[1] * 1000 + time[2] / 1000, 0, {}
for i, key in ipairs(KEYS) do
  local width, limit, owed = tonumber(ARGV[5 * i - 4]), tonumber(ARGV[5 * i - 3]), tonumber(ARGV[5 * i - 2])
  local amount, ahead = tonumber(ARGV[5 * i - 1]), tonumber(ARGV[5 * i])
  if owed > 0 then redis.call('HINCRBYFLOAT', key, math.floor(now / width), owed) end
  if limit >= 0 then redis.call('HSET', key, 'limit', limit) end
  local used, buckets, fields = 0, {}, redis.call('HGETALL', key)
  for j = 1, #fields, 2 do
    local ends = (tonumber(fields[j]) or 0) * width + width * LIFE
    if fields[j] == 'limit' then limit = tonumber(fields[j + 1])
    elseif ends <= now then redis.call('HDEL', key, fields[j])
    else
      used = used + fields[j + 1]
      buckets[#buckets + 1] = {ends, tonumber(fields[j + 1])}
    end
  end
  limits[i] = tostring(limit)
  local excess = used + ahead + math.min(amount, limit) - limit
  if limit > 0 and excess > 0 then
    local turns = math.ceil(math.max(excess - used, 0) / limit)  -- those ahead fill it again, so often
    excess = excess - turns * limit
    local until_free = turns * width * LIFE
    table.sort(buckets, function(one, other) return one[1] < other[1] end)
    for _, bucket in ipairs(buckets) do
      if excess <= 0 then break end
      excess = excess - bucket[2]
      if excess <= 0 then until_free = until_free + bucket[1] - now end
    end
    wait = math.max(wait, until_free)
  end
end
for i, key in ipairs(KEYS) do
  local width, amount = tonumber(ARGV[5 * i - 4]), tonumber(ARGV[5 * i - 1])
  if wait == 0 and amount > 0 then redis.call('HINCRBYFLOAT', key, math.floor(now / width), amount) end
  redis.call('PEXPIRE', key, math.ceil(width * LIFE) + 600000)
end
return {math.ceil(wait), unpack(limits)}
""".replace("LIFE", str(BUCKETS + 2))


class SharedWindows:
    """Counts in windows shared by all replicas. While Redis is unavailable, each process counts on its own."""

    def __init__(self, url: SecretStr, prefix: str, now: Callable[[], float]) -> None:
        try:
            from redis.asyncio import ConnectionPool, Redis  # noqa: PLC0415 - an extra, and slow to import
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise errors.BadSetting('REDIS_URL needs the extra: pip install "mistral-mcp[hosting]".') from None
        self._failures = (RedisError, OSError, TimeoutError)
        self._prefix = prefix
        self._now = now
        self._turns = anyio.Semaphore(_AT_ONCE, fast_acquire=True)
        self._down = False
        self._skip_until = -math.inf
        try:
            pool = ConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
                url.get_secret_value(),
                socket_timeout=_PATIENCE,
                socket_connect_timeout=_PATIENCE,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:  # its message may hold the URL
            raise errors.BadSetting("REDIS_URL cannot be used: it must be redis://… or rediss://….") from None
        self._redis = Redis.from_pool(pool)
        self._script = cast("Callable[..., Awaitable[list[Any]]]", self._redis.register_script(_SCRIPT))

    @property
    def up(self) -> bool:
        """Whether Redis is available, as far as is known."""
        return not self._down

    async def take(self, key: str, model: str, reservations: Sequence[Reservation]) -> float | None:
        """Count the reservations if they fit; else return the seconds until they may. None: Redis does not answer."""
        async with self._turns:
            return await self._take(key, model, reservations)

    async def _take(self, key: str, model: str, reservations: Sequence[Reservation]) -> float | None:
        probe, now = self._down, self._now()
        if now < self._skip_until:
            return None
        if probe:
            self._skip_until = now + _PAUSE  # one request tries, the others need not wait for it
        names: list[str] = []
        arguments: list[float] = []
        for each in reservations:
            window, limit = each.window, -1 if each.window.limit is None else each.window.limit
            names.append(f"{self._prefix}{{{key}}}:{model}:{each.dimension}:{window.seconds:g}")
            arguments += [window.seconds * 1000 / BUCKETS, limit, window.owed, each.amount, each.ahead]
        try:
            with anyio.fail_after(_PATIENCE):
                wait, *limits = await self._script(keys=names, args=arguments)
        except self._failures as error:
            self._skip_until = self._now() + _PAUSE
            if not self._down:
                self._down = True
                _log.warning("Redis does not answer (%s): each process paces on its own.", type(error).__name__)
            return None
        if probe and self._down:
            self._down, self._skip_until = False, -math.inf
            _log.warning("Redis answers again: all processes share one pace.")
        for each, limit, owed in zip(reservations, limits, arguments[2::5], strict=True):
            each.window.owed -= owed
            if float(limit) >= 0:
                each.window.limit = float(limit)
        return wait / 1000

    async def aclose(self) -> None:
        await self._redis.aclose()
