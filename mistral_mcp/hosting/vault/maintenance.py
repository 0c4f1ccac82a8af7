"""Vault maintenance, which needs no token: dates of last use, the sweep, re-encryption under the first master key."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.records import reseal_token
from mistral_mcp.hosting.vault.results import TOMBSTONE
from mistral_mcp.hosting.vault.sealing import MasterKeyMissing, MasterKeys, SealBroken
from mistral_mcp.hosting.vault.sign_ins.registered_clients import UNUSED_AFTER, delete_unused_clients
from mistral_mcp.hosting.vault.statements import ERASED
from mistral_mcp.hosting.vault.tables import (
    allowances,
    connections,
    done,
    grants,
    result_pieces,
    results,
    tokens,
    uploads,
    usage,
)
from mistral_mcp.usage.store import KEPT_DAYS

NEVER_USED_AFTER = timedelta(days=30)
ENDED_AFTER = timedelta(days=90)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """How many tokens moved to the first master key, and how many stay on others, by key id."""

    moved: int
    left: dict[str, int]


class ResealedRow(NamedTuple):
    """A connection that was sealed by an older version: its current and its new row."""

    id: str
    sealed_key: bytes | None
    sealed_route_token: bytes | None
    new: dict[str, Any]


async def count_tokens_by_key(database: Database) -> dict[str, int]:
    """The number of live tokens on each master key."""
    counts = select(tokens.c.master_key, func.count()).where(tokens.c.wrapped_key.is_not(None))
    grouped = counts.group_by(tokens.c.master_key)
    return await database.read(lambda connection: {row[0]: row[1] for row in connection.execute(grouped)})


async def write_last_used(database: Database, used: Mapping[str, datetime]) -> None:
    """Write dates of last use; an older one never replaces a later one of another replica."""
    if not used:
        return
    earlier = or_(connections.c.last_used_at.is_(None), connections.c.last_used_at < bindparam("used"))
    statement = update(connections).where(connections.c.id == bindparam("connection"), earlier)
    statement = statement.values(last_used_at=bindparam("used"))
    # In a fixed order, so that two replicas do not deadlock.
    values = [{"connection": connection_id, "used": when} for connection_id, when in sorted(used.items())]
    await database.write(lambda connection: connection.execute(statement, values))


async def write_new_seals(database: Database, rows: Sequence[ResealedRow]) -> None:
    """Write re-encrypted rows that did not change meanwhile."""
    if not rows:
        return

    def work(connection: Connection) -> None:
        for row in rows:
            same = (
                (connections.c.id == row.id)
                & (connections.c.sealed_key.is_not_distinct_from(row.sealed_key))
                & (connections.c.sealed_route_token.is_not_distinct_from(row.sealed_route_token))
            )
            new = {name: row.new[name] for name in ("sealed_key", "sealed_route_token", "key_digest")}
            connection.execute(update(connections).where(same).values(new))

    await database.write(work, erases=True)


async def sweep(database: Database, now: datetime) -> int:
    """Erase expired secrets; delete their rows later, so that until then their tokens get the reason. Returns the number
    of deleted rows.
    """
    expired = connections.c.expires_at <= now
    long_ago = now - ENDED_AFTER
    never_used = connections.c.last_used_at.is_(None) & (connections.c.created_at <= now - NEVER_USED_AFTER)
    ended = or_(connections.c.revoked_at <= long_ago, connections.c.expires_at <= long_ago)
    of_tokens = select(tokens.c.grant_id).where(tokens.c.grant_id.is_not(None))
    expired_ids = select(connections.c.id).where(expired)

    def work(connection: Connection) -> int:
        gone = connection.execute(delete(connections).where(or_(never_used, ended)))
        connection.execute(delete(tokens).where(tokens.c.ended_at <= long_ago))
        connection.execute(delete(tokens).where(tokens.c.expires_at <= now - timedelta(days=1)))
        connection.execute(delete(grants).where(grants.c.ended_at <= long_ago))
        connection.execute(delete(grants).where(grants.c.id.not_in(of_tokens), grants.c.created_at <= long_ago))
        delete_unused_clients(connection, now - UNUSED_AFTER)
        connection.execute(update(connections).where(expired).values(ERASED))
        connection.execute(update(tokens).where(tokens.c.connection_id.in_(expired_ids)).values(wrapped_key=None))
        return gone.rowcount

    count = await database.write(work, erases=True)
    if count:
        _log.info("Deleted %d connections that were never used, or ended long ago.", count)
    return count


async def sweep_usage(database: Database, now: datetime) -> None:
    """Delete usage past its retention, and ids of finished work that cannot be retried any more."""
    oldest = (now - timedelta(days=KEPT_DAYS)).strftime("%Y-%m-%d")
    of_batches = done.c.id.like("batch %") & (done.c.created_at <= now - timedelta(days=1))
    long_ago = done.c.created_at <= now - timedelta(days=KEPT_DAYS)

    def work(connection: Connection) -> None:
        connection.execute(delete(usage).where(usage.c.day < oldest))
        connection.execute(delete(done).where(or_(of_batches, long_ago)))
        connection.execute(delete(allowances).where(allowances.c.expires_at <= now))

    await database.write(work)


async def sweep_results(database: Database, now: datetime) -> None:
    """Erase expired results and upload links, and delete their rows a day later."""
    long_ago = now - TOMBSTONE
    expired = (results.c.expires_at <= now) & results.c.sealed_meta.is_not(None)
    closed = (uploads.c.closes_at <= now) & uploads.c.sealed_caller.is_not(None)
    over = (uploads.c.expires_at <= now) & uploads.c.sealed_files.is_not(None)

    def work(connection: Connection) -> None:
        ids = select(results.c.id).where(expired)
        connection.execute(delete(result_pieces).where(result_pieces.c.result_id.in_(ids)))
        connection.execute(update(results).where(expired).values(sealed_meta=None))
        connection.execute(delete(results).where(results.c.expires_at <= long_ago))
        connection.execute(update(uploads).where(closed).values(sealed_caller=None))
        connection.execute(update(uploads).where(over).values(sealed_files=None))
        connection.execute(delete(uploads).where(uploads.c.expires_at <= long_ago))

    due = select(results.c.id).where(expired).union_all(select(uploads.c.id).where(closed | over)).limit(1)
    if await database.read(lambda connection: connection.execute(due).first()) is not None:
        await database.write(work, erases=True)


async def reseal(
    database: Database,
    ring: MasterKeys,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    batch: int = 500,
) -> Resealed:
    """Re-encrypt in batches, each in a transaction; a token that changes meanwhile is left for the next run."""
    others = select(tokens.c.id, tokens.c.master_key, tokens.c.wrapped_key).where(
        tokens.c.wrapped_key.is_not(None), tokens.c.master_key != ring.first
    )
    rows = await database.read(lambda connection: connection.execute(others.order_by(tokens.c.id)).all())
    changes: list[dict[str, object]] = []
    for row in rows:
        try:
            new = reseal_token(ring, row.id, row.master_key, row.wrapped_key)
        except MasterKeyMissing:
            continue
        except SealBroken:
            _log.warning("Token %s does not open: its row was changed since it was sealed, or is damaged.", row.id)
            continue
        changes.append({"token": row.id, "old": row.wrapped_key, "new": new})
    # Not if the token was rotated or revoked in between: it must stay erased.
    statement = update(tokens).where(tokens.c.id == bindparam("token"), tokens.c.wrapped_key == bindparam("old"))
    statement = statement.values(wrapped_key=bindparam("new"), master_key=ring.first)
    for start in range(0, len(changes), batch):
        part = changes[start : start + batch]
        await database.write(lambda connection, part=part: connection.execute(statement, part))
        progress(start + len(part), len(changes))
    left = await count_tokens_by_key(database)
    left.pop(ring.first, None)
    return Resealed(moved=len(changes), left=left)


async def run_every(minute: float, work: Callable[[int], Awaitable[None]]) -> None:
    """Call `work` with the number of the run, until cancelled."""
    for run in itertools.count(1):
        await asyncio.sleep(minute)
        try:
            await work(run)
        except VaultUnavailable:
            pass  # logged, and retried in a minute
        except Exception:  # noqa: BLE001 - a bug in one run must not stop maintenance for good
            _log.exception("Vault maintenance failed; retrying in a minute.")
