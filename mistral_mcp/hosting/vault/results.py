"""Long and binary results as rows, sealed under a key derived from their handle; any replica can read them.

A result is stored in pieces, so that a download holds one at a time. The sweep erases expired results, and revoking a
connection erases its results; for a day the row then says "no longer stored" rather than "unknown".
"""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from mistral_mcp.errors import ExpiredResult, ResultTooLarge, UnknownResult, VaultUnavailable
from mistral_mcp.hosting.vault.database import Database, lock_transaction
from mistral_mcp.hosting.vault.handles import row_id, sealing_key
from mistral_mcp.hosting.vault.sealing import SealBroken, seal, unseal
from mistral_mcp.hosting.vault.tables import result_pieces, results
from mistral_mcp.kept_results import HANDLE, MAX_BYTES, Content, HoldMemory, Location, Owner, any_size, new_handle

PIECE = 64 * 1024
"""Bytes. A download whose client does not read holds one or two."""
_OLDER_PIECE = 1024 * 1024  # bytes, of results without `piece` in their description
_LOADED_AT_ONCE = 16  # pieces, where all of a result is read anyway
MOST_OF_ONE_OWNER = 256 * 1024 * 1024
MOST_IN_ALL = 8 * 1024 * 1024 * 1024
TOMBSTONE = timedelta(days=1)
_RESUME = timedelta(minutes=1)  # to resume a download that broke off


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result that can be downloaded."""

    handle: str
    id: str
    mime_type: str
    filename: str
    size: int
    used_at: datetime | None
    piece: int
    """Bytes of each stored piece but the last."""

    def is_used_up(self, now: datetime, *, resumes: bool) -> bool:
        """Whether the one download was made; it may be resumed for a minute."""
        if self.used_at is None:
            return False
        return not resumes or self.used_at + _RESUME < now


class VaultResults:
    """The `ResultStore` of `hosting`. `name_of` gives the owner's name in the database."""

    def __init__(
        self, database: Database, name_of: Callable[[Owner], str], now: Callable[[], datetime], ttl_minutes: float
    ) -> None:
        self._database = database
        self._name_of = name_of
        self._now = now
        self._ttl = timedelta(minutes=ttl_minutes)

    async def keep(self, owner: Owner, content: Content) -> Location:
        size = len(content.data)
        if size > MAX_BYTES:
            raise ResultTooLarge(size, MAX_BYTES)
        handle, name, now = new_handle(), self._name_of(owner), self._now()
        expires_at = (now + self._ttl).replace(microsecond=0)
        identity, key = row_id(handle), sealing_key(handle)
        described = {"mime_type": content.mime_type, "filename": content.filename, "piece": PIECE}
        meta = json.dumps(described).encode()
        row = {
            "id": identity,
            "owner": name,
            "sealed_meta": seal(key, meta, identity, name, "meta"),
            "bytes": size,
            "created_at": now,
            "expires_at": expires_at,
        }

        def work(database: Connection) -> None:
            _make_room(database, name, size, now)
            database.execute(insert(results), row)
            for number, start in enumerate(range(0, size, PIECE)):
                sealed = seal(key, content.data[start : start + PIECE], identity, str(number))
                database.execute(
                    insert(result_pieces), {"result_id": identity, "number": number, "sealed": sealed}
                )

        await self._database.write(work)
        if owner.base_url:
            url = f"{owner.base_url}/results/{handle}"
        else:
            url = None
        return Location(handle, expires_at, url=url)

    async def read(self, owner: Owner, handle: str, hold_memory: HoldMemory = any_size) -> Content:
        stored = await self.find(handle, self._name_of(owner))
        await hold_memory(stored.size)
        return await self._load(stored)

    async def download(self, handle: str) -> Content:
        return await self._load(await self.find(handle))

    async def _load(self, stored: StoredResult) -> Content:
        data = BytesIO()  # of which bytes are made without a copy
        async for pieces in self.stream(stored, 0, stored.size, at_once=_LOADED_AT_ONCE):
            data.write(pieces)
        return Content(data.getvalue(), stored.mime_type, stored.filename)

    async def find(self, handle: str, owner: str | None = None) -> StoredResult:
        """Raises `UnknownResult` (also for another owner's) or `ExpiredResult`."""
        if not HANDLE.fullmatch(handle):
            raise UnknownResult
        identity = row_id(handle)
        statement = select(results).where(results.c.id == identity)
        row: Row[Any] | None = await self._database.read(
            lambda database: database.execute(statement).one_or_none()
        )
        if row is None or (owner is not None and row.owner != owner):
            raise UnknownResult
        if row.sealed_meta is None or row.expires_at <= self._now():
            raise ExpiredResult
        try:
            meta = json.loads(unseal(sealing_key(handle), row.sealed_meta, identity, row.owner, "meta"))
        except SealBroken:
            raise _damage() from None
        return StoredResult(
            handle=handle,
            id=identity,
            mime_type=meta["mime_type"],
            filename=meta["filename"],
            size=row.bytes,
            used_at=row.used_at,
            piece=meta.get("piece", _OLDER_PIECE),
        )

    async def stream(
        self, stored: StoredResult, start: int, end: int, *, at_once: int = 1
    ) -> AsyncGenerator[bytes]:
        """Bytes from `start` up to `end`, so many pieces at a time."""
        key, size = sealing_key(stored.handle), stored.piece
        for first in range(start // size, -(-end // size), at_once):
            last = min(first + at_once, -(-end // size))
            statement = (
                select(result_pieces.c.number, result_pieces.c.sealed)
                .where(result_pieces.c.result_id == stored.id, result_pieces.c.number.between(first, last - 1))
                .order_by(result_pieces.c.number)
            )
            plain = await self._database.read(
                lambda database, statement=statement, count=last - first: _open(
                    key, [*database.execute(statement)], stored.id, count
                )
            )
            yield plain[max(start - first * size, 0) : end - first * size]

    async def mark_used(self, stored: StoredResult) -> None:
        """Note that it was downloaded whole."""
        mark = update(results).where(results.c.id == stored.id, results.c.used_at.is_(None))
        await self._database.write(lambda database: database.execute(mark.values(used_at=self._now())))

    def is_used_up(self, stored: StoredResult, *, resumes: bool) -> bool:
        return stored.is_used_up(self._now(), resumes=resumes)


def _open(key: bytes, rows: Sequence[Row[*tuple[Any, ...]]], identity: str, count: int) -> bytes:
    if len(rows) != count:  # it expired or was revoked during the download
        raise ExpiredResult
    try:
        return b"".join(unseal(key, row.sealed, identity, str(row.number)) for row in rows)
    except SealBroken:
        raise _damage() from None


def _damage() -> VaultUnavailable:
    return VaultUnavailable("The stored data of this result is damaged.", "Run the tool again that produced it.")


def _make_room(database: Connection, owner: str, size: int, now: datetime) -> None:
    """Evict the owner's oldest results. Raises `ResultTooLarge` if all owners together have too much."""
    lock_transaction(database, int.from_bytes(row_id(owner).encode()[:7]))
    live = results.c.sealed_meta.is_not(None)
    in_all = database.scalar(select(func.sum(results.c.bytes)).where(live)) or 0
    if in_all + size > MOST_IN_ALL:
        raise ResultTooLarge(size, MAX_BYTES)
    mine = (
        select(results.c.id, results.c.bytes).where(live, results.c.owner == owner).order_by(results.c.created_at)
    )
    rows = database.execute(mine).all()
    total = sum(row.bytes for row in rows) + size
    for row in rows:
        if total <= MOST_OF_ONE_OWNER:
            return
        erase_results(database, results.c.id == row.id, now)
        total -= row.bytes


def erase_results(database: Connection, which: Any, now: datetime) -> None:
    """Erase the content; the rows stay for a day, to say that it has expired."""
    ids = select(results.c.id).where(which)
    database.execute(delete(result_pieces).where(result_pieces.c.result_id.in_(ids)))
    database.execute(update(results).where(which).values(sealed_meta=None, expires_at=now))
