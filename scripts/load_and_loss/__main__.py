"""Check that nothing is lost by two replicas of `serve` under load while one is killed, Postgres crashes and Redis stops.

    python -m scripts.load_and_loss [--seconds 60] [--tenants 200]

Prints a table, and exits with 1 if a check fails. It starts all services itself, on free ports: `initdb`, `pg_ctl` and
`redis-server` have to be installed. The upstream is the sandbox, with random failures.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, pairwise
from pathlib import Path

import anyio
import httpx2

from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from scripts.load_and_loss.disk_full import CannotMeasure, fill_the_disk
from scripts.load_and_loss.load import MARK, OK, Load, Tenant, run_for
from scripts.load_and_loss.services import Deployment, deployment

Row = tuple[str, str, bool]

KEY = "kEyTenant{:03d}0123456789abcdefghi"
KEY_NUMBER = slice(9, 12)
WORKERS = 24
MOST_REQUESTS = 1_000_000
"""More than the fastest machine sends: each is looked through at the end."""
REVOKED = 10
GONE = 410
DOWN = 3.0
"""Seconds for which a service is down."""
RECOVERY = 10.0
"""Seconds within which it must recover by itself."""
FAULT_PAUSE = 0.1
FAULTS = (
    Fault(status=500),
    Fault(status=503),
    Fault(status=429),
    Fault(status=422),
    Fault(malformed=True),
    Fault(html=True, status=502),
    Fault(drop="before_headers"),
    Fault(drop="mid_body"),
    Fault(delay=1.0),
    Fault(error_event=True),
)


class Events:
    """The failures of the deployment, and their times."""

    def __init__(self) -> None:
        self.back_at: dict[str, float] = {}

    async def run(self, deployed: Deployment, seconds: float) -> None:
        """Kill a replica, crash Postgres and stop Redis, one after the other, and start each again, as a supervisor does."""
        await anyio.sleep(seconds * 0.15)
        await deployed.replicas[0].kill()
        await anyio.sleep(DOWN)
        await deployed.replicas[0].start()
        await deployed.replicas[0].until_ready()
        self.back_at["replica 1 killed, and ready again"] = time.monotonic()
        await anyio.sleep(seconds * 0.15)
        await deployed.postgres.stop()
        await anyio.sleep(DOWN)
        await deployed.postgres.start()
        self.back_at["Postgres without power"] = time.monotonic()
        await anyio.sleep(seconds * 0.15)
        await deployed.redis.stop()
        await anyio.sleep(DOWN)
        await deployed.redis.start()
        self.back_at["Redis stopped"] = time.monotonic()


async def prove(folder: Path, seconds: float, number: int) -> list[Row]:
    """Run all checks, and return them as rows of a table."""
    sandbox = Sandbox(max_requests=MOST_REQUESTS)
    async with serve_app(sandbox) as upstream, deployment(folder, upstream) as deployed:
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(60, connect=5), limits=limits) as client:
            load = Load(deployed.replicas, client)
            tenants = [Tenant(each, KEY.format(each)) for each in range(number)]
            async with anyio.create_task_group() as group:
                for tenant in tenants:
                    group.start_soon(load.sign_up, tenant)
            sandbox.reset()
            events = Events()
            async with fail_at_random(sandbox), anyio.create_task_group() as group:
                group.start_soon(events.run, deployed, seconds)
                await run_for(seconds, load, tenants, WORKERS)
            sandbox.faults.clear()
            end = time.monotonic()
            for tenant in tenants[:REVOKED]:
                await load.revoke(tenant, tenant.number % 2)
            await anyio.sleep(5)  # another replica may cache for so long
            kept = await check_connections(load, tenants)
            stored = await check_uploads(load, upstream)
    return [
        ("calls answered", str(load.ledger.outcomes["answered"]), load.ledger.outcomes["answered"] > number),
        ("calls that failed in a sentence", str(load.ledger.outcomes["failed in a sentence"]), True),
        ("what was not answered well", describe(load.ledger.outcomes), True),
        ("slowest answer", f"{load.ledger.slowest:.1f} s", load.ledger.slowest < RECOVERY * 2),
        *check_upstream(sandbox, load),
        *kept,
        stored,
        *check_recovery(load, events, end),
        ("answers that should not be", "; ".join(load.ledger.wrong[:3]) or "none", not load.ledger.wrong),
    ]


@asynccontextmanager
async def fail_at_random(sandbox: Sandbox) -> AsyncGenerator[None]:
    """Plan ten faults a second at the upstream, chosen at random."""
    chance = random.Random(7)  # noqa: S311 - the same failures each time

    async def fail() -> None:
        while True:
            await anyio.sleep(FAULT_PAUSE)
            if len(sandbox.faults) < len(FAULTS):
                sandbox.faults.append(chance.choice(FAULTS))

    async with anyio.create_task_group() as group:
        group.start_soon(fail)
        yield
        group.cancel_scope.cancel()


def check_upstream(sandbox: Sandbox, load: Load) -> list[Row]:
    """No request was sent with another tenant's key, no answer was given without the request, and no upload was stored twice."""
    done: set[str] = set()
    crossed = 0
    stored: Counter[str] = Counter()
    for request in sandbox.requests:
        for found in MARK.finditer(request.body.decode(errors="replace")):
            crossed += found[1] != (request.key or "")[KEY_NUMBER]
            if request.status == OK:
                done.add(found[0])
        if request.path == "/v1/files" and request.status == OK:
            stored.update({found[0] for found in MARK.finditer(request.body.decode(errors="replace"))})
    missing = load.ledger.answered.keys() - done
    twice = [mark for mark, times in stored.items() if times > 1]
    return [
        ("requests seen upstream", str(len(sandbox.requests)), len(sandbox.requests) < MOST_REQUESTS),
        ("requests under another tenant's key", str(crossed), not crossed),
        ("answered, and never done", str(len(missing)), not missing),
        ("uploads that were stored twice", str(len(twice)), not twice),
    ]


async def check_connections(load: Load, tenants: Sequence[Tenant]) -> list[Row]:
    """Every acknowledged connection, label, rotation and revocation is in effect on both replicas."""
    lost = labels = alive = 0
    certain = [tenant for tenant in tenants if not tenant.uncertain]
    for tenant in certain:
        for replica in (0, 1):
            status = await load.status_of(tenant, tenant.token, replica)
            lost += status != (GONE if tenant.revoked else OK)
            for token in tenant.old_tokens:
                alive += await load.status_of(tenant, token, replica) == OK
        if not tenant.revoked:
            labels += await load.label_of(tenant, 0) != tenant.label
    rotated = sum(len(tenant.old_tokens) for tenant in tenants)
    return [
        ("connections, each on both replicas", f"{len(certain)}, {lost} lost", not lost),
        ("connections whose change had no answer", str(len(tenants) - len(certain)), True),
        ("labels that were acknowledged and are not there", str(labels), not labels),
        ("tokens that work after rotation", f"{alive} of {rotated}", not alive),
    ]


async def check_uploads(load: Load, upstream: str) -> Row:
    """Every acknowledged file exists under the key of the tenant that sent it."""
    lost = 0
    async with httpx2.AsyncClient(base_url=upstream) as client:
        for mark, (number, file_id) in load.ledger.uploads.items():
            headers = {"authorization": f"Bearer {KEY.format(number)}"}
            reply = await client.get(f"/v1/files/{file_id}/content", headers=headers)
            lost += reply.text != mark
    return ("files acknowledged", f"{len(load.ledger.uploads)}, {lost} lost", not lost)


def check_recovery(load: Load, events: Events, end: float) -> list[Row]:
    """How soon each replica recovered after a service was back, and that there are no failures at the end."""
    rows: list[Row] = []
    for name, back in events.back_at.items():
        took = [_until_good(load, replica, back) for replica in (0, 1)]
        rows.append((f"{name}: quiet after", f"{max(took):.1f} s", max(took) < RECOVERY))
    late = [at for at in chain.from_iterable(load.ledger.bad_at.values()) if end - 5 < at < end]
    rows.append(("refused, cut off or 503 in the last five seconds", str(len(late)), not late))
    return rows


def _until_good(load: Load, replica: int, since: float) -> float:
    """Seconds until the last failed answer that belongs to this event; the next event starts much later."""
    bad = sorted(at for at in load.ledger.bad_at.get(replica, []) if at > since)
    last = since
    for one, other in pairwise([since, *bad]):
        if other - one > DOWN:
            break
        last = other
    return last - since


def describe(outcomes: Counter[str]) -> str:
    found = [
        f"{count} {name}"
        for name, count in outcomes.items()
        if name in ("503", "refused connections") or name.startswith("cut off")
    ]
    return ", ".join(found) or "none"


def print_table(rows: Sequence[Row]) -> None:
    width = max(len(name) for name, _, _ in rows)
    for name, value, good in rows:
        verdict = "ok" if good else "FAIL"
        print(f"{verdict:4}  {name:<{width}}  {value}")


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tenants", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = await prove(Path(folder), asked.seconds, asked.tenants)
        async with serve_app(Sandbox()) as upstream:
            try:
                rows += await fill_the_disk(Path(folder), upstream)
            except CannotMeasure as why:
                rows.append(("the disk of SQLite full", f"not measured: {why}", True))
    print_table(rows)
    return 0 if all(good for _, _, good in rows) else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
