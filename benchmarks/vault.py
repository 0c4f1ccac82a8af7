"""Many connections with some calls each, on two replicas with one database, beside the same calls with keys in headers.

Postgres is found by PGHOST, PGPORT, PGUSER and PGDATABASE; by default at 127.0.0.1, without a password, database `test`.
"""

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import psycopg

from benchmarks.bench import Bench, run_interleaved
from benchmarks.processes import CannotMeasure
from benchmarks.rows import Goal, Row, median_row, missing_row
from benchmarks.tenants import create_connections, plan_with_own_keys
from benchmarks.wire import keys

_BESIDE = "keys in headers"
_GOAL = Goal(0.9, at="least")


async def measure(bench: Bench) -> list[Row]:
    rows = await _replicas(bench, "SQLite", {})
    try:
        async with _schema() as url:
            return rows + await _replicas(
                bench, "Postgres", {"database_url": url, "master_keys": "0123456789abcdef" * 4}
            )
    except CannotMeasure as why:
        rate, cpu = _names("Postgres")
        missing = [missing_row(rate, "calls/s", _BESIDE, str(why)), missing_row(cpu, "ms", _BESIDE, str(why))]
        return rows + missing


def _names(database: str) -> tuple[str, str]:
    name = f"vault on {database}, two replicas"
    return name, f"{name}, CPU per call"


@asynccontextmanager
async def _schema() -> AsyncGenerator[str]:
    """The URL of an empty schema, which is dropped on exit."""
    at = (
        f"{os.environ.get('PGHOST', '127.0.0.1')}:{os.environ.get('PGPORT', '5432')}"
        f"/{os.environ.get('PGDATABASE', 'test')}"
    )
    schema = f"mmcp_bench_{secrets.token_hex(4)}"
    for user in filter(None, (os.environ.get("PGUSER"), "postgres", "root")):
        with suppress(psycopg.OperationalError):
            database = await psycopg.AsyncConnection.connect(
                f"postgresql://{user}@{at}", connect_timeout=3, autocommit=True
            )
            break
    else:
        raise CannotMeasure("Postgres is not there")
    async with database:
        await database.execute(f"CREATE SCHEMA {schema}".encode())
        try:
            yield f"postgresql://{user}@{at}?options=-csearch_path%3D{schema}"
        finally:
            await database.execute(f"DROP SCHEMA {schema} CASCADE".encode())


async def _replicas(bench: Bench, database: str, settings: dict[str, str]) -> list[Row]:
    """Calls per second and CPU time per call of both replicas together."""
    one = bench.ours(**settings)
    async with bench.start_servers(one, replace(one, name="the other")) as servers:
        tenants = keys(bench.scale.tenants)
        plans = {
            _BESIDE: plan_with_own_keys(tenants, servers, bench.scale.calls_each),
            "vault": await create_connections(bench, tenants, servers, bench.scale.calls_each),
        }
        for plan in plans.values():  # the first call of each connection is not cached
            await bench.load(plan.model_copy(update={"calls": len(tenants)}))
        ways = {name: lambda plan=plan: bench.load(plan, *servers) for name, plan in plans.items()}
        runs = await run_interleaved(ways, min(bench.scale.rounds, 3))
    rates = {name: [load.outcome.per_second for load in loads] for name, loads in runs.items()}
    cpu = {name: [load.cpu_ms for load in loads] for name, loads in runs.items()}
    rate_name, cpu_name = _names(database)
    return [
        median_row(rate_name, "calls/s", rates["vault"], beside=_BESIDE, baseline=rates[_BESIDE], goal=_GOAL),
        median_row(cpu_name, "ms", cpu["vault"], beside=_BESIDE, baseline=cpu[_BESIDE]),
    ]
