"""Retries failed requests; and reads replies, since a broken one may be requested again."""

import logging
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import anyio
import httpx2

from mistral_mcp.mistral import failures
from mistral_mcp.mistral.failures import Failure
from mistral_mcp.mistral.multipart import Form
from mistral_mcp.mistral.retry_after import retry_after
from mistral_mcp.mistral.transports.bodies import prefetch, read_body, read_failure
from mistral_mcp.mistral.transports.exchange import Exchange, exchange_of
from mistral_mcp.mistral.transports.fresh_files import FreshFiles

_log = logging.getLogger(__name__)

_FIRST, _LONGEST = 0.5, 8.0  # seconds of backoff, doubled from attempt to attempt
_FRESH_FILE_RETRIES = 5


class Retries(httpx2.AsyncBaseTransport):
    """Sends a request again if that may help and can do no harm.

    A request that is not `exchange.repeatable` is sent again only if the failed attempt certainly had no effect: no connection
    was made, or a limiter refused it with 429. The last response is returned, or the last exception raised; at once, if the
    wait before another attempt would not fit into `exchange.remaining`.

    The returned response has been read, unless it is an event stream. A failure is in its extensions, as `failure`.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        max_retries: int = 2,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._inner = inner
        self._max_retries = max_retries
        self._jitter = jitter
        self._sleep = sleep
        self._fresh_files = FreshFiles()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(request)
        while True:
            wait = self._backoff(exchange.attempts)
            exchange.attempts += 1
            try:
                response = await self._send(request, exchange)
            except httpx2.TransportError as error:
                if not self._may_repeat_after(error, request, exchange) or wait >= exchange.remaining:
                    raise
                why = f"No answer from {exchange.caller.far_end}"
            else:
                if response.is_success:
                    self._fresh_files.note(exchange, response)
                    return response
                failure: Failure = response.extensions["failure"]
                wait = max(wait, retry_after(response.headers) or 0)
                if not self._may_repeat(failure, request, exchange) or wait >= exchange.remaining:
                    return response
                why = f"HTTP {response.status_code} from {exchange.caller.far_end}"
            _log.debug("%s at attempt %d; the next in %.1f s", why, exchange.attempts, wait)
            await exchange.waiting(why, wait)
            await self._sleep(wait)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: httpx2.Request, exchange: Exchange) -> httpx2.Response:
        """One attempt."""
        response = await self._inner.handle_async_request(request)
        if not response.is_success:
            response = await read_failure(response)
            response.extensions["failure"] = failures.failure_of(response, exchange)
            return response
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith("text/event-stream"):
            if exchange.repeatable:
                return await prefetch(response)
            return response
        response = await read_body(response, exchange)
        if exchange.repeatable and kind.startswith("application/json") and not response.content:
            raise httpx2.RemoteProtocolError("the answer ended before it began")
        return response

    def _backoff(self, attempts: int) -> float:
        return min(_FIRST * 2**attempts, _LONGEST) * (1 + self._jitter()) / 2

    def _may_repeat_after(self, error: httpx2.TransportError, request: httpx2.Request, exchange: Exchange) -> bool:
        if exchange.attempts > self._max_retries or failures.is_hopeless(error):
            return False
        if isinstance(error, failures.NEVER_ARRIVED):
            return True
        return exchange.repeatable and _replayable(request)

    def _may_repeat(self, failure: Failure, request: httpx2.Request, exchange: Exchange) -> bool:
        if not _replayable(request):
            return False
        if failure.status == HTTPStatus.NOT_FOUND:
            return exchange.attempts <= _FRESH_FILE_RETRIES and self._fresh_files.is_requested(exchange, request)
        had_no_effect = failure.status == HTTPStatus.TOO_MANY_REQUESTS
        allowed = exchange.attempts <= self._max_retries and (exchange.repeatable or had_no_effect)
        return allowed and failure.is_transient


def _replayable(request: httpx2.Request) -> bool:
    """Whether the body can be sent twice: a stream may be used up, but a form can be read again."""
    return isinstance(request.stream, (httpx2.ByteStream, Form))
