"""The connection to SQLite or Postgres, with the newest tables.

SQLAlchemy Core runs in worker threads: its asyncio extension would bring the ORM, greenlet and aiosqlite, some 8 MB.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from pydantic import SecretStr
from sqlalchemy import Connection, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from mistral_mcp.errors import BadSetting, VaultUnavailable
from mistral_mcp.hosting.vault import database_failures as failures
from mistral_mcp.hosting.vault.tables import VERSION, metadata, version

PATIENCE = 5.0  # seconds to wait for a connection, a lock or an answer
_WORKERS = 8  # threads, and connections
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6D6D6370  # any number that only we use; SQLite's write lock suffices there

# Unless the URL says otherwise.
_LIBPQ: dict[str, object] = {
    "connect_timeout": int(PATIENCE),
    "tcp_user_timeout": int(PATIENCE * 1000),
    "prepare_threshold": None,  # PgBouncer may give each transaction another connection
}

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Database:
    """An open database. All its failures are raised as `VaultUnavailable`."""

    def __init__(self, url: URL) -> None:
        self.is_shared = url.get_backend_name() == "postgresql"
        """Whether other machines may use it too."""
        if self.is_shared:
            self._name = f"Postgres at {url.host or 'the local socket'}"
        else:
            self._name = str(url.database)
        self._is_down = False
        self._unerased = False
        options: dict[str, Any] = {"connect_args": {"timeout": PATIENCE}}
        if self.is_shared:
            options = {
                "pool_recycle": 300,
                "pool_pre_ping": True,  # so that a restart of Postgres fails no request
                "connect_args": {name: value for name, value in _LIBPQ.items() if name not in url.query},
            }
        self._engine = create_engine(
            url, hide_parameters=True, pool_size=_WORKERS, max_overflow=0, pool_timeout=PATIENCE, **options
        )
        # A single statement needs no transaction; on SQLite only `write` begins one.
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        if self.is_shared:
            self._reading = self._autocommit
        else:
            self._reading = self._engine
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="vault")
        if not self.is_shared:
            event.listen(self._engine, "connect", _prepare_sqlite)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Opens the database, and migrates its tables. Raises `BadSetting` if only a person can fix it, else
        `VaultUnavailable`.
        """
        try:
            with failures.at_start(self._name):
                await asyncio.wrap_future(self._workers.submit(self._upgrade))
            yield
        finally:
            # Running work still holds a connection, and releases it soon; this does not wait for a hanging database.
            with anyio.move_on_after(PATIENCE, shield=True):
                await anyio.to_thread.run_sync(
                    partial(self._workers.shutdown, cancel_futures=True), abandon_on_cancel=True
                )
            self._engine.dispose()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run single statements that change nothing, in a worker thread."""
        return await self._run(partial(self._read, work), PATIENCE)

    async def write(self, work: Callable[[Connection], T], *, erases: bool = False) -> T:
        """Run a transaction, in a worker thread.

        `erases`: what it overwrites must also disappear from SQLite's write-ahead log.
        """
        result = await self._run(partial(self._write, work), 2 * PATIENCE)
        if erases and not self.is_shared:
            self._unerased = True
            await self.erase()
        return result

    async def erase(self) -> None:
        """Truncate SQLite's write-ahead log, if something in it must disappear; a busy one is left for the next time."""
        if self._unerased:
            self._unerased = not await self._run(self._checkpoint, 2 * PATIENCE)

    def check_file(self) -> None:
        """Raises `VaultUnavailable` if SQLite's file was deleted: SQLite would continue, and lose all writes."""
        if not self.is_shared and not Path(str(self._engine.url.database)).exists():
            raise VaultUnavailable("The vault's file was deleted.", "Restore it, and restart the server.")

    async def _run(self, work: Callable[[], T], seconds: float) -> T:
        """Run in a worker thread, with a timeout; log when the database fails, and when it answers again."""
        try:
            with anyio.fail_after(seconds):
                result = await asyncio.wrap_future(self._workers.submit(work))
        except failures.RAISED as error:
            unavailable = failures.translate(error)
            if not self._is_down:
                self._is_down = True
                _log.warning("%s: %s", self._name, unavailable)
            raise unavailable from None
        if self._is_down:
            self._is_down = False
            _log.warning("%s: the database answers again.", self._name)
        return result

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._reading.connect() as connection:
            return work(connection)

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            self._begin(connection)
            if self.is_shared:
                connection.execute(text(f"SET LOCAL statement_timeout = {int(2000 * PATIENCE)}"))
            return work(connection)

    def _begin(self, connection: Connection) -> None:
        if (
            not self.is_shared
        ):  # else a transaction that reads first could find the database changed when it writes, and fail
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _checkpoint(self) -> bool:
        with self._autocommit.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy

    def _upgrade(self) -> None:
        """Create the file, and migrate its tables; one process at a time."""
        if not self.is_shared:
            _create_private_file(Path(str(self._engine.url.database)))
            with self._engine.connect() as connection:
                _switch_to_wal(connection)
        with self._engine.begin() as connection:
            self._begin(connection)
            lock_transaction(connection, _MIGRATION_LOCK)
            _create_or_migrate(connection)


def lock_transaction(connection: Connection, lock: int) -> None:
    """Wait for the transactions that took the same lock, a signed 64-bit number; hold it until this one ends.

    For Postgres only: SQLite has a single writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})


def default_data_dir() -> Path:
    """The default without a setting; `cli` sets it from the user's environment."""
    return Path.home() / ".local" / "share" / "mistral-mcp"


def parse_url(given: SecretStr | None, data_dir: Path) -> URL:
    """DATABASE_URL, or the file in DATA_DIR. Raises `BadSetting`."""
    if given is None:
        return URL.create("sqlite", database=str(data_dir / "vault.db"))
    try:
        url = make_url(given.get_secret_value())
    except (ArgumentError, ValueError):  # its message may hold the password
        raise BadSetting(
            "DATABASE_URL is not a URL.", "It is sqlite:///path or postgresql://user:password@host/name."
        ) from None
    match url.drivername.partition("+")[0]:
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case "sqlite" if url.database and url.database != ":memory:" and not url.query:
            return url.set(drivername="sqlite")
        case _:
            raise BadSetting("DATABASE_URL must be sqlite:///path, with a file, or postgresql://….")


def _create_private_file(path: Path) -> None:
    """Create the file with its final mode; SQLite gives -wal and -shm the mode of the main file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if os.name == "posix":
        for each, mode in ((path.parent, "700"), (path, "600")):
            if each.stat().st_mode & 0o077:
                _log.warning("%s can be read by other users of this machine: chmod %s it.", each, mode)


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # Python begins no transactions by itself; `write` does
    cursor = connection.cursor()
    for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _switch_to_wal(connection: Connection) -> None:
    """Switch a new file to WAL, with retries: SQLite's timeout does not apply when two processes do it at once."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            if not failures.is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _create_or_migrate(connection: Connection) -> None:
    found = _find_version(connection)
    if found is None:
        metadata.create_all(connection, checkfirst=False)
        version.create(connection, checkfirst=True)
        connection.execute(insert(version).values(version_num=VERSION))
    elif found != VERSION:
        _migrate(connection)
        _log.info("The tables were migrated from version %s to %s.", found, VERSION)


def _find_version(connection: Connection) -> str | None:
    """The version of the tables; None if there are none yet."""
    if inspect(connection).has_table(version.name):
        return connection.scalar(select(version.c.version_num))
    return None


def _migrate(connection: Connection) -> None:
    # Needed for migrations only, and as large as the vault's other libraries together.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise failures.MisconfiguredDatabase(
            "The tables are of a newer mistral-mcp than this one.", "Use that version, or a newer one."
        ) from None
