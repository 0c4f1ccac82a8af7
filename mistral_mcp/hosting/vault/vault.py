"""Stored connections: made, looked up, rotated, revoked. What is stored, and who could read it, is told in `tables`.

async with Vault.open(settings) as vault:
    created = await vault.create(SecretStr(key), label="laptop")
    credentials = await vault.credentials(created.token, "the X-API-Key header")
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import SecretStr
from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BadArgument, MistralMcpError, VaultUnavailable
from mistral_mcp.hosting.vault import maintenance as upkeep
from mistral_mcp.hosting.vault import master_keys, records
from mistral_mcp.hosting.vault.cache import Found, Lookups
from mistral_mcp.hosting.vault.database import Database, default_data_dir
from mistral_mcp.hosting.vault.maintenance import Resealed
from mistral_mcp.hosting.vault.records import Connection
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.hosting.vault.tables import connections, tokens
from mistral_mcp.hosting.vault.tokens import Token, checked_token, new_token
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings

__all__ = ["AlreadyMade", "Connection", "Created", "Resealed", "Vault"]

NEVER_USED_AFTER = timedelta(days=30)
ENDED_AFTER = timedelta(days=90)
LONGEST_LABEL = 100
LONGEST_EXPIRY = 3650  # days
_HOUR = 60  # minutes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new token. It is kept nowhere: show it once."""

    token: SecretStr
    connection: Connection


class AlreadyMade(BadArgument):
    """Raised by `create`: there is a connection of this id, made from the same form."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


_BY_DIGEST = (
    select(
        connections,
        tokens.c.id.label("token_id"),
        tokens.c.digest,
        tokens.c.wrapped_key,
        tokens.c.master_key,
        tokens.c.ended_at,
    )
    .join_from(tokens, connections)
    .where(tokens.c.digest.in_(bindparam("digests", expanding=True)))
)


class Vault:
    """Every method raises `VaultUnavailable` while the database is away, and works again once it is back."""

    def __init__(
        self, database: Database, ring: MasterKeys, now: Callable[[], datetime], clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._ring = ring
        self._now = now
        self._lookups = Lookups(self._load, clock)
        self._used: dict[str, datetime] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        now: Callable[[], datetime] = _utc_now,
        clock: Callable[[], float] = time.monotonic,
        minute: float = 60.0,
    ) -> AsyncGenerator[Self]:
        """Migrates, finds the master keys, and tends to the vault while it is open.

        Raises `BadSetting` or `VaultUnavailable`, in one sentence that says what to mend. `now` dates what is stored,
        `clock` counts for how long a look-up is kept, `minute` is how long the vault waits between tending.
        """
        data_dir = settings.data_dir or default_data_dir()
        async with Database.open(settings.database_url, data_dir) as database:
            in_use = await upkeep.tokens_by_key(database)
            vault = cls(database, master_keys.find(settings, data_dir, in_use, shared=database.shared), now, clock)
            tending = asyncio.create_task(vault._tend(minute))
            try:
                yield vault
            finally:
                tending.cancel()
                await asyncio.wait([tending])
                await vault._lookups.aclose()
                with suppress(VaultUnavailable):
                    await vault.write_last_used()

    async def create(
        self,
        api_key: SecretStr | None,
        *,
        label: str = "",
        toolsets: Sequence[str] | None = None,
        read_only: bool = False,
        expires_in_days: int | None = None,
        route: Route | None = None,
        route_token: SecretStr | None = None,
        connection_id: str | None = None,
    ) -> Created:
        """Keep a key; None only where the route pays by its own token. Raises `BadArgument`.

        With an id from `records.new_id`, the connection is made once, however often that is asked of any replica.
        """
        if len(label) > LONGEST_LABEL or not label.isprintable():
            raise BadArgument(f"label is one line of at most {LONGEST_LABEL} characters.")
        if expires_in_days is not None and not 1 <= expires_in_days <= LONGEST_EXPIRY:
            raise BadArgument(f"expires_in_days is between 1 and {LONGEST_EXPIRY}.")
        records.check_route(api_key, route, route_token)
        now, token = self._now(), new_token()
        connection = Connection(
            id=connection_id or records.new_id(),
            label=label,
            key_hint=records.hint(api_key),
            toolsets=None if toolsets is None else tuple(toolsets),
            read_only=read_only,
            route=route,
            created_at=now,
            last_used_at=None,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days else None,
            revoked_at=None,
        )
        row, data_key = records.stored(connection, api_key, route_token)
        token_row = records.stored_token(token, connection.id, data_key, self._ring, now)
        async with self._database.writing() as database:
            try:
                await database.execute(insert(connections), row)
            except IntegrityError:
                raise AlreadyMade("This connection was made before.") from None
            await database.execute(insert(tokens), token_row)
        return Created(token=token.text, connection=connection)

    async def credentials(self, token: SecretStr, source: str) -> Credentials:
        """For every call. Raises `RefusedCredential` (mistyped, unknown), `RevokedOrExpired`, `VaultUnavailable`."""
        found = await self._lookups.find(checked_token(token))
        self._used[found.connection_id] = self._now()
        return replace(found.credentials, source=source)

    async def describe(self, token: SecretStr) -> Connection:
        """For pages: the same errors, always read anew, and not counted as use."""
        async with self._database.reading() as database:
            return records.told(await self._live(database, checked_token(token)))

    async def rotate(self, token: SecretStr) -> Created:
        """A new token for the same connection; the old one ends at once."""
        old, new, now = checked_token(token), new_token(), self._now()
        async with self._database.writing() as database:
            row = await self._live(database, old, lock=True)
            data_key = records.data_key(row, old, self._ring)
            await database.execute(insert(tokens), records.stored_token(new, row.id, data_key, self._ring, now))
            ended = update(tokens).where(tokens.c.id == row.token_id)
            await database.execute(ended.values(ended_at=now, wrapped_key=None))
        self._lookups.forget(row.id)
        return Created(token=new.text, connection=records.told(row))

    async def revoke(self, token: SecretStr) -> None:
        """The connection ends with all its tokens, and what was sealed is erased."""
        async with self._database.reading() as database:
            row = await self._live(database, checked_token(token))
        await self.revoke_by_id(row.id)

    async def revoke_by_id(self, connection_id: str) -> bool:
        """The same for the operator. False: there is none, or it was revoked before."""
        mine = update(connections).where(connections.c.id == connection_id, connections.c.revoked_at.is_(None))
        theirs = update(tokens).where(tokens.c.connection_id == connection_id)
        async with self._database.writing() as database:
            found = await database.execute(mine.values(revoked_at=self._now(), **upkeep.ERASED))
            await database.execute(theirs.values(wrapped_key=None))
        self._lookups.forget(connection_id)
        return found.rowcount > 0

    async def connections(self) -> list[Connection]:
        """All, oldest first, for the operator."""
        every = select(connections).order_by(connections.c.created_at)
        live = select(tokens.c.connection_id, tokens.c.master_key).where(tokens.c.wrapped_key.is_not(None))
        async with self._database.reading() as database:
            rows = (await database.execute(every)).all()
            keys: dict[str, set[str]] = {}
            for connection_id, key_id in await database.execute(live):
                keys.setdefault(connection_id, set()).add(key_id)
        return [records.told(row, tuple(sorted(keys.get(row.id, ())))) for row in rows]

    async def reseal(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> Resealed:
        """Every token to the first master key, with nobody's token at hand, while the vault is in use or not."""
        return await upkeep.reseal(self._database, self._ring, progress)

    async def sweep(
        self, *, never_used_after: timedelta = NEVER_USED_AFTER, ended_after: timedelta = ENDED_AFTER
    ) -> int:
        """Delete what nobody ever used, and what ended long ago; erase what expired. Gives how many were deleted."""
        await self.write_last_used()
        return await upkeep.sweep(self._database, self._now(), never_used_after, ended_after)

    async def write_last_used(self) -> None:
        """Since the last time; what cannot be written now is kept for the next."""
        used, self._used = self._used, {}
        try:
            await upkeep.write_last_used(self._database, used)
        except VaultUnavailable:
            self._used = used | self._used
            raise

    def keys_for(self, purpose: str) -> list[bytes]:
        """Every replica derives the same; they open nothing here. The first is for new things, all for old ones."""
        return self._ring.derived(purpose)

    async def ready(self) -> None:
        """Raises `VaultUnavailable` unless connections can be looked up."""
        self._database.check_file()
        async with self._database.reading() as database:
            await database.execute(_BY_DIGEST, {"digests": [b""]})

    async def _load(self, wanted: Sequence[Token]) -> dict[bytes, Found | MistralMcpError]:
        async with self._database.reading() as database:
            rows = (await database.execute(_BY_DIGEST, {"digests": [token.digest for token in wanted]})).all()
        by_digest, now = {row.digest: row for row in rows}, self._now()
        answers: dict[bytes, Found | MistralMcpError] = {}
        for token in wanted:
            try:
                row = records.check_live(by_digest.get(token.digest), now)
                answers[token.digest] = Found(row.id, records.opened(row, token, self._ring))
            except MistralMcpError as error:
                answers[token.digest] = error
        return answers

    async def _live(self, database: AsyncConnection, token: Token, *, lock: bool = False) -> Row[Any]:
        if lock:  # the connection first, as everyone does, and then a look at what it became meanwhile
            mine = select(tokens.c.connection_id).where(tokens.c.digest == token.digest)
            await database.execute(select(connections.c.id).where(connections.c.id.in_(mine)).with_for_update())
        row = (await database.execute(_BY_DIGEST, {"digests": [token.digest]})).one_or_none()
        return records.check_live(row, self._now())

    async def _tend(self, minute: float) -> None:
        """Once a minute what was used, once an hour what goes."""
        for round_ in itertools.count(1):
            await asyncio.sleep(minute)
            try:
                self._lookups.purge()
                await (self.write_last_used() if round_ % _HOUR else self.sweep())
            except VaultUnavailable:
                pass  # it is in the log, and there is a next minute
            except Exception:  # noqa: BLE001 - a bug in one round must not end the tending for good
                _log.exception("The vault could not be tended to.")
