"""What keeps the vault in order, with nobody's token: when connections were used, what goes, which master key."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, or_, select, update

from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.records import resealed
from mistral_mcp.hosting.vault.sealing import MasterKeyMissing, MasterKeys, SealBroken
from mistral_mcp.hosting.vault.tables import connections, tokens

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """How many tokens came to the first master key, and how many stay, by the id of the key they are on."""

    moved: int
    left: dict[str, int]


async def tokens_by_key(database: Database) -> dict[str, int]:
    """How many live tokens are on which master key."""
    counted = select(tokens.c.master_key, func.count()).where(tokens.c.wrapped_key.is_not(None))
    async with database.reading() as connection:
        rows = await connection.execute(counted.group_by(tokens.c.master_key))
        return {row[0]: row[1] for row in rows}


async def write_last_used(database: Database, used: Mapping[str, datetime]) -> None:
    """Never back in time: another replica may have written a later one."""
    if not used:
        return
    earlier = or_(connections.c.last_used_at.is_(None), connections.c.last_used_at < bindparam("used"))
    statement = update(connections).where(connections.c.id == bindparam("connection"), earlier)
    # In one order everywhere, so that two replicas do not wait for one another.
    values = [{"connection": connection_id, "used": when} for connection_id, when in sorted(used.items())]
    async with database.writing() as connection:
        await connection.execute(statement.values(last_used_at=bindparam("used")), values)


async def sweep(database: Database, now: datetime, never_used_after: timedelta, ended_after: timedelta) -> int:
    """What expired is erased at once; rows go later, so that until then their tokens are told why. Gives how many."""
    expired = connections.c.expires_at <= now
    long_ago = now - ended_after
    async with database.writing() as connection:
        gone = await connection.execute(
            delete(connections).where(
                or_(
                    connections.c.last_used_at.is_(None) & (connections.c.created_at <= now - never_used_after),
                    connections.c.revoked_at <= long_ago,
                    connections.c.expires_at <= long_ago,
                )
            )
        )
        await connection.execute(delete(tokens).where(tokens.c.ended_at <= long_ago))
        await connection.execute(update(connections).where(expired).values(ERASED))
        expired_ids = select(connections.c.id).where(expired)
        await connection.execute(update(tokens).where(tokens.c.connection_id.in_(expired_ids)).values(wrapped_key=None))
    if gone.rowcount:
        _log.info("Swept %d connections that were never used, or ended long ago.", gone.rowcount)
    return gone.rowcount


async def reseal(
    database: Database,
    ring: MasterKeys,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    batch: int = 500,
) -> Resealed:
    """In batches, each whole or not at all; what is changed meanwhile is left as it is, and is found the next time."""
    others = select(tokens.c.id, tokens.c.master_key, tokens.c.wrapped_key).where(
        tokens.c.wrapped_key.is_not(None), tokens.c.master_key != ring.first
    )
    async with database.reading() as connection:
        rows = (await connection.execute(others.order_by(tokens.c.id))).all()
    turned: list[dict[str, object]] = []
    for row in rows:
        try:
            new = resealed(ring, row.id, row.master_key, row.wrapped_key)
        except MasterKeyMissing:
            continue
        except SealBroken:
            _log.warning("Token %s does not open: its row was changed since it was sealed, or is damaged.", row.id)
            continue
        turned.append({"token": row.id, "old": row.wrapped_key, "new": new})
    # Not where the token was rotated or revoked in between: that must stay erased.
    statement = update(tokens).where(tokens.c.id == bindparam("token"), tokens.c.wrapped_key == bindparam("old"))
    statement = statement.values(wrapped_key=bindparam("new"), master_key=ring.first)
    for start in range(0, len(turned), batch):
        async with database.writing() as connection:
            await connection.execute(statement, turned[start : start + batch])
        progress(min(start + batch, len(turned)), len(turned))
    left = await tokens_by_key(database)
    left.pop(ring.first, None)
    return Resealed(moved=len(turned), left=left)


ERASED: dict[str, None] = {"sealed_key": None, "sealed_route_token": None}
"""What nobody may open any more; the tokens' `wrapped_key` goes with it."""
