"""The ASGI app: authentication, planned faults, and routing to the endpoints."""

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator

import anyio
from starlette.types import Receive, Scope, Send

from mistral_mcp.sandbox import control
from mistral_mcp.sandbox.endpoints import (
    agents,
    batch,
    chat,
    classifiers,
    conversations,
    embeddings,
    files,
    fim,
    libraries,
    moderations,
    ocr,
    operations,
    speech,
    transcriptions,
    voices,
    whoami,
)
from mistral_mcp.sandbox.endpoints import fine_tuning as fine_tuning_jobs
from mistral_mcp.sandbox.endpoints import models as model_cards
from mistral_mcp.sandbox.faults import Fault, FaultPlan
from mistral_mcp.sandbox.protocol.connection import Connection
from mistral_mcp.sandbox.protocol.endpoint import Account, Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import (
    ApiError,
    invalid_key_reply,
    no_route,
    wrong_address,
    wrong_method_reply,
)
from mistral_mcp.sandbox.protocol.forms import read_form
from mistral_mcp.sandbox.protocol.rate_limits import Limits
from mistral_mcp.sandbox.protocol.replies import Reply, correlation_id, json_reply
from mistral_mcp.sandbox.protocol.request import Received, read_request

ENDPOINTS: tuple[Endpoint, ...] = (
    *chat.ENDPOINTS,
    *agents.ENDPOINTS,
    *fim.ENDPOINTS,
    *embeddings.ENDPOINTS,
    *moderations.ENDPOINTS,
    *classifiers.ENDPOINTS,
    *model_cards.ENDPOINTS,
    *files.ENDPOINTS,
    *ocr.ENDPOINTS,
    *batch.ENDPOINTS,
    *conversations.ENDPOINTS,
    *libraries.ENDPOINTS,
    *transcriptions.ENDPOINTS,
    *speech.ENDPOINTS,
    *voices.ENDPOINTS,
    *whoami.ENDPOINTS,
)


def answer_gone(call: Call) -> Reply:
    """410, for endpoints that Mistral has retired."""
    del call
    return json_reply({"detail": "Gone"}, 410)


RETIRED = tuple(dataclasses.replace(endpoint, answer=answer_gone) for endpoint in fine_tuning_jobs.ENDPOINTS)
CODESTRAL = (*chat.ENDPOINTS, *fim.ENDPOINTS)

MAX_REQUESTS = 20_000
"""How many received requests are kept by default."""
LARGE_BODY = 1024 * 1024
"""In bytes."""
MAX_LARGE_REQUESTS = 64
"""How many bodies larger than `LARGE_BODY` are kept. The bodies of older requests are dropped."""
NO_FAULT = Fault(pass_through=True)


class Sandbox:
    """The simulated API. It accepts any key, except those that begin with `invalid`.

    `requests_per_minute` and `tokens_per_minute` are enforced for each key and model. `latency` is the delay before each
    reply, `chunk_delay` the delay between the chunks of a stream, both in seconds. `fine_tuning` enables the fine-tuning jobs,
    which are 410 by default because Mistral has retired them. `codestral` simulates codestral.mistral.ai, which has chat and
    FIM only. The newest `max_requests` are kept in `requests`. `now` is the clock of the rate limits, in seconds.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        latency: float = 0.0,
        chunk_delay: float = 0.0,
        fine_tuning: bool = False,
        codestral: bool = False,
        max_requests: int = MAX_REQUESTS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = FaultPlan()
        self.requests: deque[Received] = deque(maxlen=max_requests)
        self.active = 0
        self.peak = 0
        self._large: deque[Received] = deque()
        self._limits = Limits(requests_per_minute, tokens_per_minute)
        self._latency = latency
        self._chunk_delay = chunk_delay
        self._now = now
        jobs = RETIRED
        if fine_tuning:
            jobs = fine_tuning_jobs.ENDPOINTS
        if codestral:
            self._endpoints = CODESTRAL
        else:
            self._endpoints = (*ENDPOINTS, *jobs)
        self._codestral = codestral
        self._accounts: dict[str, Account] = {}
        self._seen = 0
        self._arrival = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run_lifespan(receive, send)
            return
        received = await read_request(scope, receive)
        if received is None:
            return
        connection = Connection(scope, receive, send)
        if received.path.startswith("/sandbox/"):
            reply = control.answer_control(self, received)
            await connection.send(reply, reply.headers)
            return
        with self._track(received):
            await connection.run(received, self._exchange(received, connection))

    async def wait_for_request(self, number: int = 1) -> Received:
        """Wait until this many requests have arrived since the start (or `reset`); return the newest."""
        while self._seen < number:
            await self._arrival.wait()
        return self.requests[-1]

    def reset(self) -> None:
        """Clear the received requests, the planned faults, the counters and all accounts."""
        self.faults.clear()
        self.requests.clear()
        self._large.clear()
        self.peak = self.active
        self._accounts.clear()
        self._seen = 0

    @contextlib.contextmanager
    def _track(self, received: Received) -> Generator[None]:
        """Keep the request, and count it as active while it is being answered."""
        self.requests.append(received)
        if len(received.body) > LARGE_BODY:
            self._large.append(received)
            while len(self._large) > MAX_LARGE_REQUESTS:
                self._large.popleft().body = b""

        self.active += 1
        self.peak = max(self.peak, self.active)
        self._seen += 1
        self._arrival.set()
        self._arrival = anyio.Event()
        try:
            yield
        finally:
            self.active -= 1
            received.end()

    async def _exchange(self, received: Received, connection: Connection) -> None:
        """Apply the next fault, or send the endpoint's answer."""
        fault = self.faults.take(received.path) or NO_FAULT
        wait = self._latency + fault.delay
        if wait:
            await anyio.sleep(wait)

        if fault.hang:
            await anyio.sleep_forever()
        if fault.drop == "before_headers":
            await connection.cut()
            return

        request_id = correlation_id()
        reply = fault.replacement(received) or await self._answer(received, request_id)
        received.status = reply.status
        ids = {"mistral-correlation-id": request_id, "x-kong-request-id": request_id}
        headers = {
            **reply.headers,
            **fault.headers,
            **ids,
        }
        await connection.send(reply, headers, fault.interruption, self._chunk_delay)

    async def _answer(self, received: Received, request_id: str) -> Reply:
        """Like Mistral's gateway, Kong: match the route, check the key, then call the endpoint."""
        allowed: list[str] = []
        for endpoint in self._all_endpoints():
            params = endpoint.match(received.path)
            if params is None:
                continue
            if endpoint.method != received.method:
                allowed.append(endpoint.method)
                continue
            key = received.key
            if key is None or key.startswith("invalid"):
                return invalid_key_reply()
            try:
                return endpoint.answer(Call(received, key, self._account(key), params, await read_form(received)))
            except ApiError as error:
                return error.reply
        if allowed:
            return wrong_method_reply(list(dict.fromkeys(allowed)))
        if self._codestral or received.path.startswith("/v1/v1/"):
            return wrong_address()
        return no_route(request_id)

    def _all_endpoints(self) -> Iterator[Endpoint]:
        """The hand-written endpoints first. Those generated from schemas come last: their schemas are loaded only if needed."""
        yield from self._endpoints
        if not self._codestral:
            yield from operations.endpoints()

    def _account(self, key: str) -> Account:
        return self._accounts.setdefault(key, Account(key, self._limits, self._now))


async def _run_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge the lifespan events; there is nothing to start or stop."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
