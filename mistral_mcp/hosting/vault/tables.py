"""The tables.

What is stored, and who could read it out of a stolen copy:

| stored                          | how                                                          | until |
|---------------------------------|--------------------------------------------------------------|-------|
| the token                       | never; only its digest (HKDF-SHA256), which opens nothing     | its connection's row goes |
| the Mistral key, the route token | AES-256-GCM under a random data key, bound to the connection, the field and the route | revoked; expired and swept |
| the data key                    | AES-256-GCM under a key made from the token, and that again under a master key; bound to the token's row | revoked, rotated; expired and swept |
| the master key                  | never; only its short digest, beside what it wraps            | - |
| a long result, in pieces          | AES-256-GCM under a key made from its handle, which is stored nowhere | RESULT_TTL; its connection is revoked |
| whose key an upload link uses; names of what came | the same                                       | 15 minutes, and a day; revoked |
| a digest of the key               | HMAC under a key derived from a master key: equal keys look equal, and nothing else | the connection's row goes |
| the key's last four characters, label, toolsets, read_only, route, times (UTC) | in the clear                 | the connection's row goes |
| an OAuth code, access or refresh token | never; each is one more token of its connection, stored as such | used, replaced, revoked; expired and swept |
| an OAuth client's secret        | AES-256-GCM under a key derived from the first master key     | its client is swept |
| an OAuth client's name and addresses, what was granted | in the clear                           | the client's, the connection's row goes |
| what was used, by day, tool and model, under a connection's id or an HMAC of a caller's own key; budgets | in the clear | 400 days; budgets with the connection's row |

So the database alone opens nothing, nor does it together with the master keys: a token must be there too. A row goes when
its connection ended long ago or was never used (`Vault.sweep`); until then its digest answers "revoked" rather than
"unknown". What is erased is overwritten in SQLite's file; in Postgres it is gone with the next vacuum.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from mistral_mcp.usage.sums import NAMES


class Utc(TypeDecorator[datetime]):
    """Aware times in Python; stored in UTC, since SQLite stores no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value:
            return value.astimezone(UTC)
        return None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo:
            return value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


def _id(length: int) -> Column[str]:
    return Column("id", String(length), primary_key=True)


def _connection_id() -> Column[str]:
    """The row's connection; the row is deleted with it."""
    connection = ForeignKey("mmcp_connections.id", ondelete="CASCADE")
    return Column("connection_id", String(16), connection, nullable=False, index=True)


def _owner() -> Column[str]:
    """The owner of a result or upload."""
    return Column("owner", String(64), nullable=False, index=True)


def _creation_time() -> Column[datetime]:
    return Column("created_at", Utc, nullable=False)


# Names with a prefix: a Postgres database may be shared with other programs. `migrations/` must create the same tables.
metadata = MetaData()
VERSION_TABLE = "mmcp_version"
VERSION = "0005"
"""The newest of `migrations/`."""

version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's table: the version of the tables."""

connections = Table(
    "mmcp_connections",
    metadata,
    _id(16),
    Column("label", Text, nullable=False),
    Column("key_hint", String(4), nullable=False),
    Column("key_digest", LargeBinary, index=True),
    Column("sealed_key", LargeBinary),
    Column("sealed_route_token", LargeBinary),
    Column("toolsets", Text),
    Column("read_only", Boolean, nullable=False),
    Column("route", Text),
    Column("budget_usd", Double),
    Column("budget_calls_per_day", Integer),
    _creation_time(),
    Column("last_used_at", Utc),
    Column("expires_at", Utc),
    Column("revoked_at", Utc),
)

tokens = Table(
    "mmcp_tokens",
    metadata,
    _id(16),
    _connection_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("wrapped_key", LargeBinary),
    Column("master_key", String(8), nullable=False),
    _creation_time(),
    Column("ended_at", Utc),
    Column("kind", String(8), nullable=False, server_default="url"),
    Column("grant_id", String(16), index=True),
    Column("parent_id", String(16)),
    Column("scopes", Text),
    Column("expires_at", Utc),
)
"""`kind`: "url" is the token of a secret URL or a header; "code", "access" and "refresh" are secrets of an OAuth grant."""

grants = Table(
    "mmcp_grants",
    metadata,
    _id(16),
    _connection_id(),
    Column("client_id", Text, nullable=False),
    Column("client_name", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("redirect_uri_explicit", Boolean, nullable=False),
    Column("code_challenge", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("resource", Text, nullable=False),
    _creation_time(),
    Column("ended_at", Utc),
)

clients = Table(
    "mmcp_clients",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("described", Text, nullable=False),
    Column("sealed_secret", LargeBinary),
    Column("created_at", Utc, nullable=False, index=True),
    Column("last_used_at", Utc),
)
"""OAuth clients that registered themselves. `described` is their metadata, as JSON."""

results = Table(
    "mmcp_results",
    metadata,
    _id(32),
    _owner(),
    Column("sealed_meta", LargeBinary),
    Column("bytes", BigInteger, nullable=False),
    _creation_time(),
    Column("expires_at", Utc, nullable=False, index=True),
    Column("used_at", Utc),
)

result_pieces = Table(
    "mmcp_result_pieces",
    metadata,
    Column("result_id", String(32), ForeignKey("mmcp_results.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

uploads = Table(
    "mmcp_uploads",
    metadata,
    _id(32),
    _owner(),
    Column("sealed_caller", LargeBinary),
    Column("sealed_files", LargeBinary),
    Column("begun", Integer, nullable=False),
    _creation_time(),
    Column("closes_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False, index=True),
)

usage = Table(
    "mmcp_usage",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("day", String(10), primary_key=True, index=True),
    Column("tool", String(64), primary_key=True),
    Column("model", String(100), primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in NAMES),
)
"""`owner` is a connection's id, or a digest of a caller's own key; the sums are those of `usage.sums`."""

done = Table(
    "mmcp_done",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("created_at", Utc, nullable=False, index=True),
)
"""Ids of work that must be done once: batches of usage, notices that a limit is near."""

allowances = Table(
    "mmcp_allowances",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("holder", String(32), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("expires_at", Utc, nullable=False, index=True),
)
"""A process's share of a budget, and what its running calls have reserved."""
