"""Usage sums as rows that every replica adds to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, text

from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.tables import Utc, usage
from mistral_mcp.usage.store import Batch, Rows
from mistral_mcp.usage.sums import NAMES, Key, Sums

# The same SQL on SQLite and Postgres; SQLAlchemy's own upsert is in each dialect's module, which would slow the start.
_COLUMNS = ("owner", "day", "tool", "model", *NAMES)
_ADD = text(
    f"INSERT INTO mmcp_usage ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) "  # noqa: S608 - names of ours
    "ON CONFLICT (owner, day, tool, model) DO UPDATE SET "
    + ", ".join(f"{name} = mmcp_usage.{name} + excluded.{name}" for name in NAMES)
)
_RELEASE = text(
    "UPDATE mmcp_allowances SET calls = CASE WHEN calls > :calls THEN calls - :calls ELSE 0 END, "
    "cost = CASE WHEN cost > :cost THEN cost - :cost ELSE 0 END WHERE owner = :owner AND holder = :holder"
)
_DO_ONCE = text(
    "INSERT INTO mmcp_done (id, created_at) VALUES (:id, :created_at) ON CONFLICT (id) DO NOTHING"
).bindparams(bindparam("created_at", type_=Utc))


class VaultUsage:
    """The `UsageStore` of hosting."""

    def __init__(self, database: Database, now: Callable[[], datetime], holder: str = "") -> None:
        """`holder` identifies the process's shares of budgets, which shrink by the usage it writes."""
        self._database = database
        self._now = now
        self._holder = holder

    async def add(self, batch: Batch) -> None:
        """Add a batch once, however often it is retried: a transaction that timed out may have been committed."""
        values = [_row(owner, key, sums) for owner, key, sums in batch]

        def work(database: Connection) -> None:
            if do_once(database, f"batch {batch.id}", self._now()):
                database.execute(_ADD, values)
                database.execute(
                    _RELEASE, [self._share_reduction(owner, rows) for owner, rows in batch.rows.items()]
                )

        await self._database.write(work)

    async def read(self, owner: str, since: str) -> Rows:
        statement = select(usage).where(usage.c.owner == owner, usage.c.day >= since)
        return {key: sums for _, key, sums in await self._read(statement)}

    async def read_all(self, since: str) -> dict[str, Rows]:
        """The rows of all owners, for the operator."""
        found: dict[str, Rows] = {}
        for owner, key, sums in await self._read(select(usage).where(usage.c.day >= since)):
            found.setdefault(owner, {})[key] = sums
        return found

    def _share_reduction(self, owner: str, rows: Rows) -> dict[str, object]:
        calls = sum(sums.calls for sums in rows.values())
        cost = sum(sums.cost for sums in rows.values())
        return {"owner": owner, "holder": self._holder, "calls": calls, "cost": cost}

    async def _read(self, statement: Select[Any]) -> list[tuple[str, Key, Sums]]:
        return await self._database.read(lambda database: [_entry(row) for row in database.execute(statement)])


def do_once(database: Connection, identity: str, now: datetime) -> bool:
    """Whether this is the first time; for a transaction that then does the work."""
    return database.execute(_DO_ONCE, {"id": identity, "created_at": now}).rowcount == 1


def _row(owner: str, key: Key, sums: Sums) -> dict[str, object]:
    amounts = dict(zip(NAMES, sums.values(), strict=True))
    return {"owner": owner, **key._asdict(), **amounts}


def _entry(row: Row[Any]) -> tuple[str, Key, Sums]:
    amounts = {name: getattr(row, name) for name in NAMES}
    return row.owner, Key(row.day, row.tool, row.model), Sums(**amounts)
