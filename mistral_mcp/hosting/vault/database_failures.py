"""Translates the database's exceptions to our errors: one sentence, without the library's text.

That text may hold the URL, the statement and its values.
"""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mistral_mcp.errors import BadSetting, VaultUnavailable


class MisconfiguredDatabase(VaultUnavailable):
    """A database that cannot work as it is configured: at the start, a `BadSetting`."""


RAISED = (SQLAlchemyError, sqlite3.Error, OSError)
"""Exceptions of a database or of a file next to it; sqlite3's own are raised on connecting."""


@contextmanager
def at_start(where: str) -> Generator[None]:
    """For the start: errors name the database, and are a `BadSetting` if only a person can fix them."""
    try:
        yield
    except (*RAISED, VaultUnavailable) as error:
        if isinstance(error, VaultUnavailable):
            failure = error
        else:
            failure = translate(error)
        if isinstance(failure, MisconfiguredDatabase):
            kind = BadSetting
        else:
            kind = VaultUnavailable
        raise kind(f"{where}: {failure.what}", failure.advice) from None


def is_busy(error: DBAPIError) -> bool:
    """Whether SQLite did not get its lock."""
    return isinstance(error.orig, sqlite3.Error) and _code(error.orig) == sqlite3.SQLITE_BUSY


def translate(error: Exception) -> VaultUnavailable:
    if isinstance(error, DBAPIError) and error.orig:
        cause = error.orig
    else:
        cause = error
    sqlstate: str = getattr(cause, "sqlstate", None) or ""
    match error:
        case _ if isinstance(cause, sqlite3.Error):
            found = _SQLITE.get(_code(cause))
        # From here on Postgres, without importing its library's classes, which are not needed with SQLite.
        case DBAPIError() if sqlstate:
            found = _POSTGRES.get(sqlstate) or _POSTGRES.get(sqlstate[:2])
        case OperationalError():  # no connection, or a broken one: libpq gives no code
            if "FATAL" in str(cause):
                found = _REFUSED
            else:
                found = _AWAY
        case ProgrammingError():
            found = _NO_OPTION
        case TimeoutError() | PoolTimeout():
            found = _SLOW
        case OSError():
            found = _SYSTEM.get(error.errno or 0)
        case _:
            found = None
    kind, what, advice = found or (VaultUnavailable, f"The vault's database failed ({_name(cause)}).", "")
    return kind(what, advice)


def _code(error: sqlite3.Error) -> int:
    """The primary result code, without the extended part; 0 if Python itself raised the error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _name(cause: BaseException) -> str:
    """A name that an operator can look up."""
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return code or type(cause).__name__


_Failure = tuple[type[VaultUnavailable], str, str]

_SLOW: _Failure = (
    VaultUnavailable,
    "The vault's database does not answer in time.",
    "Try again in a few seconds.",
)
_FULL: _Failure = (
    VaultUnavailable,
    "The disk of the vault's database is full.",
    "Free some space; what was stored before is still there.",
)
_READ_ONLY: _Failure = (
    MisconfiguredDatabase,
    "The vault's database, or its folder, cannot be written.",
    "Give the user that runs this server the right to write there, or set DATABASE_URL or DATA_DIR to another place.",
)
_NO_DATABASE: _Failure = (
    MisconfiguredDatabase,
    "The vault's file is not a SQLite database, or it is damaged.",
    "Restore it from a backup, or set DATABASE_URL to another file; this one was not changed.",
)
_AWAY: _Failure = (
    VaultUnavailable,
    "Postgres cannot be reached.",
    "Check that it runs, and the host and port in DATABASE_URL.",
)
_REFUSED: _Failure = (
    VaultUnavailable,
    "Postgres refuses the connection.",
    "Check the user, the password and the name of the database in DATABASE_URL.",
)
_NO_OPTION: _Failure = (
    MisconfiguredDatabase,
    "DATABASE_URL has an option that Postgres does not know.",
    "The options after ? are libpq's, such as sslmode.",
)
_NO_RIGHT: _Failure = (
    MisconfiguredDatabase,
    "The user in DATABASE_URL may not create or use the vault's tables.",
    "Give it the right to create tables in its schema.",
)

_SQLITE: dict[int, _Failure] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_NOTADB: _NO_DATABASE,
    sqlite3.SQLITE_CORRUPT: _NO_DATABASE,
    sqlite3.SQLITE_BUSY: _SLOW,
    sqlite3.SQLITE_LOCKED: _SLOW,
}

_SYSTEM: dict[int, _Failure] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.ENOTDIR: _READ_ONLY,
    errno.EISDIR: _READ_ONLY,
    errno.EEXIST: _READ_ONLY,
}

# By SQLSTATE, or its class.
_POSTGRES: dict[str, _Failure] = {
    "53100": _FULL,
    "53300": _REFUSED,
    "42501": _NO_RIGHT,
    "3F000": _NO_RIGHT,  # no schema to create in
    "25006": (
        VaultUnavailable,
        "Postgres accepts no writes: it is a standby.",
        "Point DATABASE_URL at the primary.",
    ),
    "28": _REFUSED,
    "3D": _REFUSED,
    "08": _AWAY,
    "57P01": _AWAY,
    "57P02": _AWAY,
    "57P03": _AWAY,
    "40": _SLOW,  # rolled back in favour of another transaction
    "55P03": _SLOW,
    "57014": _SLOW,
}
