"""Upload links as rows: the key to upload with, sealed under a key derived from the link, and the uploaded files."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Row, func, insert, select, update

from mistral_mcp.errors import BadArgument, ExpiredUpload, UnknownUpload, VaultUnavailable
from mistral_mcp.hosting.vault.database import Database, lock_transaction
from mistral_mcp.hosting.vault.handles import row_id, sealing_key
from mistral_mcp.hosting.vault.sealing import SealBroken, seal, unseal
from mistral_mcp.hosting.vault.tables import uploads
from mistral_mcp.kept_results import Owner
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route
from mistral_mcp.upload_links import HANDLE, MOST_FILES, UploadedFile, UploadLink, Uploads, new_handle

OPEN_FOR = timedelta(minutes=15)
KNOWN_FOR = timedelta(days=1)
"""How long a handle can be used for its files."""
MOST_OPEN = 50
"""Links of one owner."""


class TooManyUploads(BadArgument):
    """The owner has as many open links as are allowed."""


class VaultUploads:
    """The `UploadLinks` of `hosting`. `name_of` gives the owner's name in the database."""

    def __init__(self, database: Database, name_of: Callable[[Owner], str], now: Callable[[], datetime]) -> None:
        self._database = database
        self._name_of = name_of
        self._now = now

    async def create(self, owner: Owner, caller: Caller, purpose: str) -> UploadLink:
        handle, name, now = new_handle(), self._name_of(owner), self._now()
        identity, key = row_id(handle), sealing_key(handle)
        secrets = {
            "key": caller.key.get_secret_value() if caller.key else None,
            "route": str(caller.route),
            "route_token": caller.route_token.get_secret_value() if caller.route_token else None,
            "purpose": purpose,
        }
        closes_at = (now + OPEN_FOR).replace(microsecond=0)
        row = {
            "id": identity,
            "owner": name,
            "sealed_caller": seal(key, json.dumps(secrets).encode(), identity, name, "caller"),
            "sealed_files": _seal_files(key, identity, []),
            "begun": 0,
            "created_at": now,
            "closes_at": closes_at,
            "expires_at": now + KNOWN_FOR,
        }

        def work(database: Connection) -> None:
            _check_count(database, name, now)
            database.execute(insert(uploads), row)

        await self._database.write(work)
        return UploadLink(handle, f"{owner.base_url or ''}/uploads/{handle}", closes_at)

    async def find(self, owner: Owner, handle: str) -> Uploads:
        row = await self._row(handle)
        if row is None or row.owner != self._name_of(owner):
            raise UnknownUpload
        files = self._files(handle, row)
        return Uploads(files, is_open=self._is_open(row))

    async def look(self, handle: str) -> Uploads:
        """The uploads of a link, for its page. Raises `UnknownUpload` or `ExpiredUpload`."""
        row = await self._row(handle)
        if row is None:
            raise UnknownUpload
        files = self._files(handle, row)
        if not self._is_open(row):
            raise ExpiredUpload
        return Uploads(files, is_open=True)

    async def begin(self, handle: str) -> tuple[Caller, str]:
        """Count a file whose upload begins. Returns the caller to upload it for, and its purpose. Raises as `look` does."""

        def work(database: Connection) -> Row[Any]:
            row = _lock(database, handle)
            if row is None:
                raise UnknownUpload
            if not self._is_open(row):
                raise ExpiredUpload
            database.execute(update(uploads).where(uploads.c.id == row.id).values(begun=row.begun + 1))
            return row

        row = await self._database.write(work)
        try:
            plain = unseal(sealing_key(handle), row.sealed_caller, row.id, row.owner, "caller")
        except SealBroken:
            raise _damage() from None
        secrets = json.loads(plain)
        if secrets["key"]:
            key = SecretStr(secrets["key"])
        else:
            key = None
        if secrets["route_token"]:
            token = SecretStr(secrets["route_token"])
        else:
            token = None
        route = Route.parse(secrets["route"])
        caller = Caller.of(key, "this upload link", route, token, is_tenant=True)
        return caller, secrets["purpose"]

    async def finish(self, handle: str, file: UploadedFile | None) -> None:
        """Record the uploaded file; None: the upload failed, and does not count."""

        def work(database: Connection) -> None:
            row = _lock(database, handle)
            if row is None or row.sealed_files is None:
                return  # revoked meanwhile
            values: dict[str, Any] = {"begun": max(row.begun - 1, 0)}
            if file is not None:
                files = [*self._files(handle, row), file]
                values = {"sealed_files": _seal_files(sealing_key(handle), row.id, files)}
            database.execute(update(uploads).where(uploads.c.id == row.id).values(values))

        await self._database.write(work)

    async def is_revoked(self, handle: str) -> bool:
        row = await self._row(handle)
        return row is None or row.sealed_caller is None

    async def _row(self, handle: str) -> Row[Any] | None:
        if not HANDLE.fullmatch(handle):
            return None
        statement = select(uploads).where(uploads.c.id == row_id(handle.partition("/")[0]))
        return await self._database.read(lambda database: database.execute(statement).one_or_none())

    def _is_open(self, row: Row[Any]) -> bool:
        return row.sealed_caller is not None and row.closes_at > self._now() and row.begun < MOST_FILES

    def _files(self, handle: str, row: Row[Any]) -> tuple[UploadedFile, ...]:
        if row.sealed_files is None or row.expires_at <= self._now():
            raise ExpiredUpload
        try:
            plain = unseal(sealing_key(handle.partition("/")[0]), row.sealed_files, row.id, "files")
        except SealBroken:
            raise _damage() from None
        return tuple(UploadedFile(**each) for each in json.loads(plain))


def _check_count(database: Connection, owner: str, now: datetime) -> None:
    """Raises `TooManyUploads`: else one caller could fill the database for a day."""
    lock_transaction(database, int.from_bytes(row_id(owner).encode()[:7]))
    is_open = (uploads.c.owner == owner) & (uploads.c.closes_at > now)
    if (database.scalar(select(func.count()).where(is_open)) or 0) >= MOST_OPEN:
        raise TooManyUploads(
            f"{MOST_OPEN} upload links are open already.",
            "Use one of them, or wait until they end, in 15 minutes.",
        )


def _lock(database: Connection, handle: str) -> Row[Any] | None:
    return database.execute(select(uploads).where(uploads.c.id == row_id(handle)).with_for_update()).one_or_none()


def _seal_files(key: bytes, identity: str, files: list[UploadedFile]) -> bytes:
    return seal(key, json.dumps([asdict(file) for file in files]).encode(), identity, "files")


def _damage() -> VaultUnavailable:
    return VaultUnavailable("The stored data of this upload link is damaged.", "Ask for a new link.")


def erase_uploads(database: Connection, which: Any, now: datetime) -> None:
    """Erase the caller's key and the list of files; the rows stay for a day, to say that the link has ended."""
    erased = {"sealed_caller": None, "sealed_files": None, "closes_at": now}
    database.execute(update(uploads).where(which).values(erased))
