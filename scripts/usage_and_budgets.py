"""Check that every call is counted and no budget exceeded: with two replicas of `serve`, a failing upstream, and a `kill -9`.

    python -m scripts.usage_and_budgets [--calls 10000] [--callers 64] [--database postgres] [--database sqlite]

Prints a table for each database, and exits with 1 if a check fails. The usage is counted a second time, independently, from the
replies that the sandbox sends. Postgres and Redis are started on free ports.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistral_mcp.sandbox import Sandbox, serve_app
from scripts.load_and_loss.__main__ import Row, fail_at_random, print_table
from scripts.load_and_loss.load import ERA, META, OK
from scripts.load_and_loss.services import MASTER_KEY, Postgres, Replica, make_folder

KEY = "kEyUsage{:03d}0123456789abcdefghij"
TENANTS = 8
MOST_LOST = 5.0
"""Seconds: at most the calls of this time before a process is killed may be lost."""
WRITTEN_AFTER = 4.0
"""Seconds after which every process has written its counters."""
MARK = re.compile(rb"replica-(\d)-call")
BUDGET_IN_CALLS = 300
CALLS_A_DAY = 200


@dataclass
class ObservedReply:
    """A complete reply that the sandbox has sent."""

    at: float
    key: str
    replica: int
    tokens: int


class CountingApp:
    """Wraps the sandbox, and adds up the usage in its replies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.seen: list[ObservedReply] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent, replies = bytearray(), bytearray()
        statuses: list[int] = []

        async def receive_and_read() -> Message:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def send_and_read(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            replies.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive_and_read, send_and_read)
        if scope["type"] == "http" and statuses == [OK]:
            self._count(scope, bytes(sent), bytes(replies))

    def _count(self, scope: Scope, sent: bytes, reply: bytes) -> None:
        mark = MARK.search(sent)
        try:
            usage = json.loads(reply).get("usage")
        except ValueError:
            return  # a fault
        if mark and usage:
            key = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
            self.seen.append(ObservedReply(time.monotonic(), key, int(mark[1]), usage["total_tokens"]))

    def tokens(self, key: str) -> int:
        return sum(seen.tokens for seen in self.seen if seen.key == key)


@dataclass
class Answer:
    """The answer that a caller received."""

    at: float
    tenant: int
    replica: int
    outcome: str
    """ok, failed, or budget."""


@dataclass
class Callers:
    """Clients that call tools, and the answers that they received."""

    replicas: Sequence[Replica]
    client: httpx2.AsyncClient
    answers: list[Answer] = field(default_factory=list[Answer])
    cut_off: Counter[int] = field(default_factory=Counter[int])
    """Calls without an answer, by tenant: they may have been counted or not."""
    sent: int = 0

    async def connect(self, tenant: int, **terms: object) -> str:
        asked = {"api_key": KEY.format(tenant), **terms}
        made = await self.client.post(f"{self.replicas[0].url}/connections", json=asked)
        made.raise_for_status()
        return made.json()["token"]

    async def usage(self, token: str, replica: int = 1) -> dict[str, Any]:
        url = f"{self.replicas[replica].url}/connections/current/usage"
        reply = await self.client.get(url, headers={"x-api-key": token})
        reply.raise_for_status()
        return reply.json()

    async def call_often(self, tokens: Sequence[str], calls: int, callers: int) -> None:
        """Make this many calls, with this many callers at once."""
        numbers = iter(range(calls))

        async def work() -> None:
            for number in numbers:
                tenant = number % len(tokens)
                await self._call(tokens[tenant], tenant, number)

        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(work)

    async def _call(self, token: str, tenant: int, number: int) -> None:
        """If a replica does not accept connections, the other one is called, as a load balancer does."""
        first = (number // len(KEY)) % 2
        for replica in (first, 1 - first):
            tool, arguments = mixed_call(replica, number)
            try:
                reply = await self._send(token, replica, tool, arguments)
            except httpx2.ConnectError:
                continue
            except httpx2.TransportError:
                self.cut_off[tenant] += 1
                return
            self.answers.append(Answer(time.monotonic(), tenant, replica, outcome_of(reply)))
            return
        await anyio.sleep(0.1)

    async def _send(self, token: str, replica: int, tool: str, arguments: dict[str, Any]) -> httpx2.Response:
        self.sent += 1
        params = {"name": tool, "arguments": arguments, "_meta": META}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": ERA,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        }
        url = f"{self.replicas[replica].url}/c/{token}/mcp"
        return await self.client.post(url, json=asked, headers=headers)

    def count_answers(self, tenant: int) -> int:
        return sum(answer.tenant == tenant for answer in self.answers)


def mixed_call(replica: int, number: int) -> tuple[str, dict[str, Any]]:
    """A call of one of the billed tools; its text says which replica was called."""
    mark = f"replica-{replica}-call {number}"
    match number % 8:
        case 0:
            return "mistral_embed", {"inputs": [mark, "another text"]}
        case 1:
            return "mistral_rank", {"query": mark, "documents": ["one", "two"]}
        case 2:
            return "mistral_code_complete", {"prompt": f"# {mark}\ndef add(", "max_tokens": 50}
        case 3:
            functions = [{"name": "note", "description": "Takes a note"}]
            return "mistral_function_call", {"prompt": mark, "functions": functions}
        case 4:
            return "mistral_moderate", {"inputs": [mark]}
        case _:
            return "mistral_chat", {"prompt": mark, "max_tokens": 100}


def outcome_of(reply: httpx2.Response) -> str:
    result = reply.json().get("result", {})
    if not result.get("isError"):
        return "ok"
    if result["_meta"]["mistral-mcp/error"].get("code") == "budget_spent":
        return "budget"
    return "failed"


@asynccontextmanager
async def two_replicas(folder: Path, database: str, route: str) -> AsyncGenerator[list[Replica]]:
    settings = {"ROUTE": route, "MASTER_KEYS": MASTER_KEY, "LOG_LEVEL": "WARNING", "MAX_CONCURRENCY": "64"}
    settings |= {"DATA_DIR": str(folder / "data"), "MAX_CONNECTIONS_PER_KEY": "100"}
    async with AsyncExitStack() as stack:
        if database == "postgres":
            postgres = Postgres(folder / "postgres")
            make_folder(postgres.folder)
            await postgres.create()
            await postgres.start()
            stack.push_async_callback(postgres.stop)
            settings["DATABASE_URL"] = postgres.url
        replicas = [Replica(settings, folder / f"replica-{number}.log") for number in (1, 2)]
        for replica in replicas:
            await replica.start()
            stack.push_async_callback(replica.stop)
        for replica in replicas:
            await replica.until_ready()
        yield replicas


async def prove(folder: Path, database: str, calls: int, callers: int) -> list[Row]:
    """Run all checks, and return them as rows of a table."""
    sandbox = Sandbox()
    counting = CountingApp(sandbox)
    limits = httpx2.Limits(max_connections=callers)
    async with (
        serve_app(counting) as upstream,
        two_replicas(folder, database, upstream) as replicas,
        httpx2.AsyncClient(timeout=60, limits=limits) as client,
    ):
        people = Callers(replicas, client)
        tokens = [await people.connect(tenant) for tenant in range(TENANTS)]
        async with fail_at_random(sandbox):
            await people.call_often(tokens, calls // 2, callers)
        sandbox.faults.clear()
        exact = await _check_exact(people, counting, tokens)
        killed = Kill(replicas[0])
        async with fail_at_random(sandbox), anyio.create_task_group() as group:
            group.start_soon(killed.run)
            await people.call_often(tokens, calls // 2, callers)
        sandbox.faults.clear()
        outcomes = Counter(answer.outcome for answer in people.answers)
        lost = await _check_loss(people, counting, tokens, killed)
        budgets = await _check_budgets(people, callers)
    sent = (f"{database}: calls sent", f"{people.sent}, {dict(outcomes)}", outcomes["ok"] > calls // 2)
    return [sent, *exact, *lost, *budgets]


class Kill:
    """Kills a replica with `kill -9` halfway, and starts it again, as a supervisor does."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.at = 0.0

    async def run(self) -> None:
        await anyio.sleep(8)
        self.at = time.monotonic()
        await self._replica.kill()
        await anyio.sleep(2)
        await self._replica.start()
        await self._replica.until_ready()


async def _check_exact(people: Callers, counting: CountingApp, tokens: Sequence[str]) -> list[Row]:
    """With faults, but no kill: no call is lost, and none counted twice."""
    await anyio.sleep(WRITTEN_AFTER)
    calls = used = wrong = 0
    for tenant, token in enumerate(tokens):
        month = (await people.usage(token))["month"]
        calls += month["calls"]
        used += month["total_tokens"]
        wrong += month["calls"] != people.count_answers(tenant)
        wrong += month["total_tokens"] != counting.tokens(KEY.format(tenant))
    counted = sum(seen.tokens for seen in counting.seen)
    return [
        ("calls answered, calls counted", f"{len(people.answers)}, {calls}", calls == len(people.answers)),
        ("tokens by the sandbox, tokens counted", f"{counted}, {used}", used == counted),
        ("connections for which one of them differs", str(wrong), not wrong),
    ]


async def _check_loss(people: Callers, counting: CountingApp, tokens: Sequence[str], killed: "Kill") -> list[Row]:
    """After a `kill -9`: only calls of that process in its last seconds are lost."""
    await anyio.sleep(WRITTEN_AFTER)
    months = [(await people.usage(token))["month"] for token in tokens]
    calls = sum(month["calls"] for month in months)
    used = sum(month["total_tokens"] for month in months)
    counted = sum(seen.tokens for seen in counting.seen)
    missing_calls, missing_tokens = len(people.answers) - calls, counted - used
    last = [seen for seen in counting.seen if seen.replica == 0 and 0 <= killed.at - seen.at < MOST_LOST]
    late = [seen for seen in counting.seen if seen.replica == 0 and -1 < killed.at - seen.at < 0]
    most_tokens = sum(seen.tokens for seen in [*last, *late])
    cut_off = sum(people.cut_off.values())
    seconds = shortest(missing_tokens, killed.at, [*last, *late])
    return [
        (
            "calls answered, calls counted after kill -9",
            f"{len(people.answers)}, {calls}",
            missing_calls >= -cut_off,
        ),
        ("calls cut off by it", str(cut_off), True),
        ("tokens by the sandbox, tokens counted", f"{counted}, {used}", missing_tokens >= 0),
        (
            "tokens lost, tokens of its last 5 s",
            f"{missing_tokens}, {most_tokens}",
            missing_tokens <= most_tokens and missing_calls <= len(last) + len(late),
        ),
        ("so what was lost is of its last", f"{seconds:.1f} s", seconds <= MOST_LOST),
    ]


def shortest(missing: int, end: float, last: Sequence[ObservedReply]) -> float:
    """In how many seconds before the end this many tokens were sent; infinite if there were fewer."""
    if missing <= 0:
        return 0.0
    total = 0
    for seen in sorted(last, key=lambda each: -each.at):
        total += seen.tokens
        if total >= missing:
            return max(end - seen.at, 0.0)
    return float("inf")


async def _check_budgets(people: Callers, callers: int) -> list[Row]:
    """Check the budgets with concurrent callers on both replicas."""
    first = await people.connect(TENANTS)
    await people.call_often([first], 8, 1)
    await anyio.sleep(WRITTEN_AFTER)
    dearest = (await people.usage(first))["month"]["cost_usd"] / 4  # few of the eight cost nearly all of it
    budget = round(dearest * BUDGET_IN_CALLS, 10)
    rows: list[Row] = []
    people.answers.clear()
    token = await people.connect(TENANTS + 1, budget_usd=budget)
    await people.call_often([token], BUDGET_IN_CALLS * 8, callers)
    await anyio.sleep(WRITTEN_AFTER)
    spent = (await people.usage(token))["month"]["cost_usd"]
    outcomes = Counter(answer.outcome for answer in people.answers)
    told = f"${budget:.6f}, ${spent:.6f}, {outcomes['budget']} calls refused"
    held = 0.9 * budget < spent <= budget + callers * dearest and outcomes["budget"] > 0
    rows.append((f"budget in dollars, spent by {callers} callers", told, held))
    people.answers.clear()
    token = await people.connect(TENANTS + 2, budget_calls_per_day=CALLS_A_DAY)
    await people.call_often([token], CALLS_A_DAY * 3, callers)
    outcomes = Counter(answer.outcome for answer in people.answers)
    begun = outcomes["ok"] + outcomes["failed"]
    told = f"{CALLS_A_DAY}, {begun}, {outcomes['budget']} refused"
    rows.append((f"calls a day, calls of {callers} callers", told, begun == CALLS_A_DAY))
    return rows


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--database", choices=("postgres", "sqlite"), action="append")
    asked = parser.parse_args()
    failed = False
    for database in asked.database or ("postgres", "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            rows = await prove(Path(folder), database, asked.calls, asked.callers)
        print_table(rows)
        failed = failed or not all(good for _, _, good in rows)
    return int(failed)


if __name__ == "__main__":
    sys.exit(anyio.run(main))
