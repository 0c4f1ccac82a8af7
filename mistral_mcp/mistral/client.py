"""Sends calls to Mistral, and turns failures into errors.

upstream = Upstream(settings)                  # one per process: pool, pacing, retries
mistral = upstream.client(caller)              # one per tool call: its key, deadline and progress
reply = await mistral.send(EmbeddingCall(model="mistral-embed", input=["hello"]))
"""

import copy
import logging
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import anyio
import httpx2
from pydantic import ValidationError

from mistral_mcp.bounds.heavy_work import run_heavy, turn_for_file
from mistral_mcp.bounds.json_size import holds_more_than
from mistral_mcp.bounds.memory import LARGE
from mistral_mcp.errors import UpstreamError
from mistral_mcp.mistral import failures
from mistral_mcp.mistral.call import Call, ReplyT
from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.mistral.consumption import Meter
from mistral_mcp.mistral.deadline import Deadline
from mistral_mcp.mistral.event_stream import read_events
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.quoting import quote_token
from mistral_mcp.mistral.recent_reads import RecentReads
from mistral_mcp.mistral.requests import EVENTS, FILE, JSON, build_request
from mistral_mcp.mistral.transports.bodies import BodyTooLarge, memory_for_replies
from mistral_mcp.mistral.transports.exchange import Caller, CallMemory, Exchange
from mistral_mcp.mistral.transports.limits import Limits
from mistral_mcp.mistral.transports.observing import ExchangeObserver, Observing
from mistral_mcp.mistral.transports.retries import Retries
from mistral_mcp.mistral.transports.routes import Routes
from mistral_mcp.mistral.transports.wire import BorrowedTransport, Wire
from mistral_mcp.settings import Settings

_log = logging.getLogger(__name__)

_ERROR = re.compile(rb'"object"\s*:\s*"[Ee]rror"')
_ERROR_WITHIN = 1024  # bytes

_MOST_VALUES = 500_000  # in a reply; no reply of Mistral's has as many


class Upstream:
    """The transports to Mistral, shared by the whole process."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx2.AsyncBaseTransport | None = None,
        observer: ExchangeObserver | None = None,
    ) -> None:
        self.settings = settings
        self.memory = memory_for_replies()
        stack: httpx2.AsyncBaseTransport = Retries(
            Limits(
                Routes(BorrowedTransport(transport) if transport else Wire(settings.network)),
                max_concurrency=settings.max_concurrency,
                requests_per_second=settings.requests_per_second,
                tokens_per_minute=settings.tokens_per_minute,
                redis_url=settings.redis_url,
            ),
            max_retries=settings.max_retries,
        )
        if find_spec("opentelemetry"):
            from mistral_mcp.mistral.transports.spans import Spans  # noqa: PLC0415 - only where it is installed

            stack = Spans(stack)
        if observer:
            stack = Observing(stack, observer)
        self.transport = stack
        self.recent_reads = RecentReads()

    @cached_property
    def catalog(self) -> Catalog:
        """Prices; loaded on first use."""
        return Catalog.load(self.settings.catalog)

    def client(
        self, caller: Caller, progress: Progress | None = None, trace: Mapping[str, str] | None = None
    ) -> "MistralClient":
        """A client for one tool call. `trace`: `traceparent` and `tracestate` as the caller sent them."""
        return MistralClient(self, caller, progress, trace)

    async def aclose(self) -> None:
        await self.transport.aclose()


class MistralClient:
    """Sends one caller's requests to Mistral, during one tool call."""

    def __init__(
        self, upstream: Upstream, caller: Caller, progress: Progress | None, trace: Mapping[str, str] | None = None
    ) -> None:
        self._trace = trace or {}
        self.settings = upstream.settings
        self.caller = caller
        self.progress = progress
        self.correlation_id: str | None = None
        """Id of the last reply; Mistral's support asks for it."""
        self.status: int | None = None
        """HTTP status of the last reply."""
        self.attempts = 1
        """The most attempts that one request of this call took."""
        self.upstream = upstream
        self.memory = CallMemory(upstream.memory)
        self.meter = Meter(lambda: upstream.catalog, regional=caller.route.kind in {"eu", "us"})
        """Usage of this tool call, including that of copies for concurrent requests."""
        self._seconds = self.settings.timeout
        if progress is not None:
            self._seconds = self.settings.stream_timeout
        self.ends_at = time.monotonic() + self._seconds
        """The tool call's deadline, by asyncio's clock, which is this one."""
        self._last = Exchange(caller, repeatable=False, deadline=self.ends_at, progress=progress)

    @property
    def catalog(self) -> Catalog:
        return self.upstream.catalog

    @property
    def last_model(self) -> str:
        """The model that the last request named, as the caller wrote it; empty if unknown."""
        return self._last.model

    @property
    def seconds_left(self) -> float:
        """Seconds until the tool call's deadline."""
        return self.ends_at - time.monotonic()

    def deadline_error(self) -> UpstreamError:
        """The error for a call whose deadline passed without a request to Mistral under way."""
        return failures.timeout_error(self._last, self._seconds)

    def without_progress(self) -> "MistralClient":
        """A copy for one of several concurrent requests, whose streamed texts would mix."""
        silent = copy.copy(self)
        silent.progress = None
        return silent

    async def send(self, call: Call[ReplyT], *, model: str = "", tokens: int = 0) -> ReplyT:
        """Send a call and read its reply. `model` and `tokens` (estimated) are for pacing.

        Raises an `UpstreamError`, or `UnsupportedByRoute` if the route does not support this call.
        """
        exchange = self._exchange(call, model, tokens)
        if not call.is_binary():
            return await self._send(call, exchange, JSON)
        async with turn_for_file():
            return await self._send(call, exchange, FILE)

    async def _send(self, call: Call[ReplyT], exchange: Exchange, headers: httpx2.Headers) -> ReplyT:
        with self.deadline(exchange):
            response = await self._open(build_request(call, exchange, headers), exchange)
        if len(response.content) <= LARGE:  # else it is read beside the event loop
            return self._read(call, response, exchange)
        try:
            return await run_heavy(self._read, call, response, exchange)
        finally:
            # A file is its reply, and lives as long as the tool call.
            if not call.is_binary():
                exchange.release_memory()

    def _read(self, call: Call[ReplyT], response: httpx2.Response, exchange: Exchange) -> ReplyT:
        body = response.content
        if call.is_binary():
            return call.read(self.caller.mask.file(body))
        if holds_more_than(_MOST_VALUES, body):
            raise failures.too_large(exchange)
        body = self.caller.mask.body(body)
        if _ERROR.search(body, 0, _ERROR_WITHIN):
            self._raise_error_in(body, exchange)
        try:
            reply = call.read(body)
        except ValidationError:
            self._raise_error_in(body, exchange)
            raise failures.malformed_reply(response, exchange) from None
        call.measure(reply, self.meter)
        return reply

    async def stream(self, call: Call[Any], *, model: str = "", tokens: int = 0) -> AsyncGenerator[str]:
        """Send a call and yield the data of its server-sent events, up to and without `[DONE]`.

        The reader sets the `deadline`: a cancel scope cannot stay open across a yield.
        """
        exchange = self._exchange(call, model, tokens)
        request = build_request(call, exchange, EVENTS)
        response = await self._open(request, exchange)
        response.request = request
        if response.is_closed:  # read already, so it is not a stream
            self._raise_error_in(response.content, exchange)
        try:
            async with aclosing(read_events(response)) as events:
                async for data in events:
                    yield self.caller.mask.event(data)
        except BodyTooLarge:
            raise failures.too_large(exchange) from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise failures.connection_error(error, exchange) from None
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    def deadline(self, exchange: Exchange | None = None) -> Deadline:
        """Bounds what happens inside by the tool call's deadline, waits and attempts included.

        The error names this exchange, or the last one.
        """
        return Deadline(self.ends_at, lambda: failures.timeout_error(exchange or self._last, self._seconds))

    def event_error(self, data: str) -> UpstreamError:
        """The error for an event that is not part of an answer: Mistral's own error, if it is one."""
        failure = failures.failure_in(data.encode(errors="replace"), self._last)
        if failure is None:
            return self._answer_error("Mistral's answer broke off with something that cannot be read.")
        error = failures.error_of(failure, self._last)
        error.correlation_id = self.correlation_id
        return error

    def cut_reply(self) -> UpstreamError:
        """The error for a stream that ended before its answer did."""
        return self._answer_error("Mistral's answer broke off before its end.")

    def endless_reply(self) -> UpstreamError:
        """The error for a stream that exceeds the size limit."""
        return failures.too_large(self._last)

    def unusable_reply(self, why: str) -> UpstreamError:
        """The error for a reply that can be parsed but is unusable."""
        return self._answer_error(f"Mistral's reply {why}.")

    def interrupted_reply(self, partial: str) -> UpstreamError:
        """The error for an answer that Mistral itself ended early."""
        error = self._answer_error("Mistral broke its answer off with an error.")
        error.partial = partial
        return error

    def _answer_error(self, what: str) -> UpstreamError:
        error = failures.broken_answer(self._last, what)
        error.correlation_id = self.correlation_id
        error.attempts = self.attempts
        return error

    def _raise_error_in(self, body: bytes, exchange: Exchange) -> None:
        """Raise an error if the body is an error in place of a reply."""
        failure = failures.failure_in(body, exchange)
        if failure is not None:
            error = failures.error_of(failure, exchange)
            error.correlation_id = self.correlation_id
            raise error

    def _exchange(self, call: Call[Any], model: str, tokens: int) -> Exchange:
        self._last = Exchange(
            self.caller,
            call.repeatable,
            self.ends_at,
            f"{call.method} {call.path}",
            call.max_bytes,
            model,
            tokens,
            self.progress,
            self._trace,
            self.memory,
        )
        return self._last

    async def _open(self, request: httpx2.Request, exchange: Exchange) -> httpx2.Response:
        """A successful response: read, or an event stream.

        Errors are raised without their cause: the texts of the stack below may hold URLs and headers.
        """
        try:
            response = await self.upstream.transport.handle_async_request(request)
        except BodyTooLarge:
            raise failures.too_large(exchange) from None
        except httpx2.HTTPError as error:
            raise failures.connection_error(error, exchange) from None
        self._note(response, exchange)
        status = response.status_code
        _log.debug("%s: HTTP %d, correlation id %s", exchange.operation, status, self.correlation_id)
        if response.is_success:
            return response
        raise failures.error_of(response.extensions["failure"], exchange)

    def _note(self, response: httpx2.Response, exchange: Exchange) -> None:
        if correlation_id := response.headers.get("mistral-correlation-id"):
            self.correlation_id = quote_token(correlation_id, self.caller.mask, 100)
        self.status = response.status_code
        self.attempts = max(self.attempts, exchange.attempts)
