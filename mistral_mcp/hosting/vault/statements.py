"""The statements on connections and their tokens, each inside a transaction of `database`."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from mistral_mcp.errors import BadArgument
from mistral_mcp.hosting.vault.database import lock_transaction
from mistral_mcp.hosting.vault.records import check_live
from mistral_mcp.hosting.vault.results import erase_results
from mistral_mcp.hosting.vault.tables import connections, results, tokens, uploads
from mistral_mcp.hosting.vault.tokens import Token
from mistral_mcp.hosting.vault.uploads import erase_uploads

ERASED: dict[str, None] = {"sealed_key": None, "sealed_route_token": None}
"""Columns to erase when a connection ends; the tokens' `wrapped_key` is erased too."""

_log = logging.getLogger(__name__)


class AlreadyCreated(BadArgument):
    """Raised by `create`: the same form has already created a connection."""


class TooManyConnections(BadArgument):
    """Raised by `create`: the key has as many live connections as the operator allows."""


_WITH_TOKEN = select(
    connections,
    tokens.c.id.label("token_id"),
    tokens.c.digest,
    tokens.c.wrapped_key,
    tokens.c.master_key,
    tokens.c.ended_at,
).join_from(tokens, connections)
_OF_DIGEST = (tokens.c.digest == bindparam("digest")) & (tokens.c.kind == "url")
_BY_DIGEST = _WITH_TOKEN.where(_OF_DIGEST)
# Only what is needed to revoke a damaged connection.
_ENDS = select(connections.c.id, connections.c.revoked_at, connections.c.expires_at, tokens.c.ended_at)
_ENDS_BY_DIGEST = _ENDS.join_from(tokens, connections).where(_OF_DIGEST)


def find_live(database: Connection, token: Token, now: datetime) -> Row[Any]:
    """A token's row with its connection's. Raises a `CredentialError` unless it is valid now."""
    return check_live(database.execute(_BY_DIGEST, {"digest": token.digest}).one_or_none(), now)


def lock_live(database: Connection, token: Token, now: datetime) -> Row[Any]:
    """Like `find_live`, for a change: locks the connection first, as all transactions do, then reads the row again."""
    of_token = select(tokens.c.connection_id).where(tokens.c.digest == token.digest)
    database.execute(select(connections.c.id).where(connections.c.id.in_(of_token)).with_for_update())
    return find_live(database, token, now)


def find_live_id(database: Connection, token: Token, now: datetime) -> str:
    """The connection's id, even if the rest of its row is damaged."""
    found = database.execute(_ENDS_BY_DIGEST, {"digest": token.digest}).one_or_none()
    row = check_live(cast("Row[Any] | None", found), now)
    return str(row.id)


def find_live_digests(database: Connection, digests: Sequence[bytes], now: datetime) -> set[bytes]:
    """Those of valid tokens."""
    live = (
        select(tokens.c.digest).join_from(tokens, connections).where(tokens.c.digest.in_(digests), _is_live(now))
    )
    return {row.digest for row in database.execute(live.where(tokens.c.ended_at.is_(None)))}


def insert_connection(database: Connection, row: dict[str, Any], token_row: dict[str, Any]) -> None:
    """Raises `AlreadyCreated`."""
    try:
        database.execute(insert(connections), row)
    except IntegrityError:
        raise AlreadyCreated("This connection was already created.") from None
    database.execute(insert(tokens), token_row)


def check_count(database: Connection, digests: Sequence[bytes], most: int, now: datetime) -> None:
    """Raises `TooManyConnections` if the key of these digests has that many live connections. For a transaction."""
    lock_transaction(database, int.from_bytes(digests[0][:8], signed=True))
    count = (
        select(func.count()).select_from(connections).where(connections.c.key_digest.in_(digests), _is_live(now))
    )
    if (database.scalar(count) or 0) >= most:
        raise TooManyConnections(
            f"This key has {most} connections here already, the most that this server allows.",
            "Use one of them in several clients, or revoke one.",
        )


def find_of_key(
    database: Connection,
    digests: Sequence[bytes],
    most: int,
    now: datetime,
) -> list[Row[Any]]:
    """The live connections of the key with these digests, newest first; what is damaged is left out."""
    of_key = connections.c.key_digest.in_(digests)
    newest = select(connections).where(of_key, _is_live(now)).order_by(connections.c.created_at.desc()).limit(most)
    return list(_readable(database.execute(newest)))


def update_connection(database: Connection, row: dict[str, Any]) -> None:
    database.execute(update(connections).where(connections.c.id == row["id"]).values(row))


def replace_token(database: Connection, token_id: str, token_row: dict[str, Any], now: datetime) -> None:
    database.execute(insert(tokens), token_row)
    database.execute(update(tokens).where(tokens.c.id == token_id).values(ended_at=now, wrapped_key=None))


def end_connections(database: Connection, ids: Sequence[str], now: datetime) -> list[str]:
    """Revoke connections, and erase their secrets. Returns the ids of those that were live."""
    live = select(connections.c.id).where(connections.c.id.in_(ids), connections.c.revoked_at.is_(None))
    found = [str(row.id) for row in database.execute(live.with_for_update())]
    database.execute(update(connections).where(connections.c.id.in_(found)).values(revoked_at=now, **ERASED))
    database.execute(update(tokens).where(tokens.c.connection_id.in_(ids)).values(wrapped_key=None))
    erase_results(database, results.c.owner.in_(ids), now)
    erase_uploads(database, uploads.c.owner.in_(ids), now)
    return found


def list_connections(database: Connection) -> list[tuple[Row[Any], tuple[str, ...]]]:
    """Each with the ids of its live tokens' master keys, oldest first; damaged ones are left out."""
    keys: dict[str, set[str]] = {}
    live = select(tokens.c.connection_id, tokens.c.master_key).where(tokens.c.wrapped_key.is_not(None))
    for connection_id, key_id in database.execute(live):
        keys.setdefault(connection_id, set()).add(key_id)
    every = database.execute(select(connections).order_by(connections.c.created_at))
    return [(row, tuple(sorted(keys.get(row.id, ())))) for row in _readable(every)]


def _readable(result: CursorResult[Any]) -> Iterator[Row[Any]]:
    while True:
        try:
            row = result.fetchone()
        except (TypeError, ValueError) as error:
            _log.error(
                "A connection's row cannot be read (%s): it was changed, or is damaged.", type(error).__name__
            )
            continue
        if row is None:
            return
        yield row


def _is_live(now: datetime) -> Any:
    not_expired = or_(connections.c.expires_at.is_(None), connections.c.expires_at > now)
    return connections.c.revoked_at.is_(None) & not_expired
