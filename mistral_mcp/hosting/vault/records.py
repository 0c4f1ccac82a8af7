"""The stored form of a connection: what is sealed, under which keys, and how it is unsealed."""

import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pydantic import SecretStr
from sqlalchemy import Row

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import RefusedCredential, RevokedOrExpired, VaultUnavailable
from mistral_mcp.hosting.vault.connection import Connection, new_id
from mistral_mcp.hosting.vault.sealing import MasterKeyMissing, MasterKeys, SealBroken, seal, seal_version, unseal
from mistral_mcp.hosting.vault.tokens import Token
from mistral_mcp.route import Route

_DAMAGED = ("The stored data of this connection is damaged.", "Revoke it, and create a new one.")

_NO_KEY = SecretStr("")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The sealed parts of a connection."""

    api_key: SecretStr | None
    route_token: SecretStr | None


class _Terms(NamedTuple):
    """What a connection's secrets are bound to, so that write access to the database cannot widen a key's use."""

    id: str
    route: str | None
    toolsets: str | None
    read_only: bool
    expires_at: datetime | None

    def context(self, field: str, version: int) -> tuple[str, ...]:
        if version == 1:
            return self.id, field, self.route or ""
        if self.toolsets is None:
            toolsets = "*"
        else:
            toolsets = self.toolsets
        if self.expires_at:
            expires = self.expires_at.astimezone(UTC).isoformat(timespec="microseconds")
        else:
            expires = "never"
        return self.id, field, self.route or "", toolsets, "reads" if self.read_only else "writes", expires


def connection_row(connection: Connection, secrets: Secrets, data_key: bytes, digest: bytes) -> dict[str, Any]:
    """The row of a connection. `digest` finds the connections of one key."""
    terms = _Terms(
        id=connection.id,
        route=str(connection.route) if connection.route else None,
        toolsets=None if connection.toolsets is None else ",".join(connection.toolsets),
        read_only=connection.read_only,
        expires_at=connection.expires_at,
    )
    return terms._asdict() | {
        "label": connection.label,
        "key_hint": connection.key_hint,
        "key_digest": digest,
        # The absence of a key is sealed too: else deleting a key from a row would make the route's own key pay.
        "sealed_key": _seal(data_key, secrets.api_key or _NO_KEY, terms, "key"),
        "sealed_route_token": _seal(data_key, secrets.route_token, terms, "route token"),
        "budget_usd": connection.budget_usd,
        "budget_calls_per_day": connection.budget_calls_per_day,
        "created_at": connection.created_at,
    }


def _seal(data_key: bytes, secret: SecretStr | None, terms: _Terms, field: str) -> bytes | None:
    if secret is not None:
        return seal(data_key, secret.get_secret_value().encode(), *terms.context(field, 2))
    return None


def new_token_row(
    token: Token, connection_id: str, data_key: bytes, ring: MasterKeys, now: datetime, bound: Sequence[str] = ()
) -> dict[str, Any]:
    """The row of a new token: the data key under the token's key, and that under the first master key.

    `bound` is further context that must be the same for unsealing.
    """
    token_id = new_id()
    inner = seal(token.key(), data_key, token_id, "data key", *bound)
    return {
        "id": token_id,
        "connection_id": connection_id,
        "digest": token.digest,
        "wrapped_key": ring.seal(inner, token_id, "wrapped data key"),
        "master_key": ring.first,
        "created_at": now,
    }


def reseal_token(ring: MasterKeys, token_id: str, key_id: str, wrapped: bytes) -> bytes:
    """Rewrap a token's data key under the first master key. Raises `MasterKeyMissing` or `SealBroken`."""
    return ring.seal(ring.unseal(key_id, wrapped, token_id, "wrapped data key"), token_id, "wrapped data key")


def check_live(row: Row[Any] | None, now: datetime) -> Row[Any]:
    """A token's row, joined with its connection. Raises a `CredentialError` unless it is valid now."""
    if row is None:
        raise RefusedCredential("No connection has this token.", "Copy it again, or create a new connection.")
    ends: tuple[tuple[Literal["revoked", "expired", "replaced"], str, datetime | None, str], ...] = (
        ("revoked", "This connection was revoked", row.revoked_at, "Create a new connection."),
        ("expired", "This connection expired", row.expires_at, "Create a new connection."),
        ("replaced", "This token was replaced by a newer one", row.ended_at, "Use the newer one."),
    )
    for reason, what, when, advice in ends:
        if when is not None and when <= now:
            sentence = f"{what} on {when:%Y-%m-%d at %H:%M} UTC."
            raise RevokedOrExpired(sentence, advice, reason=reason, when=when)
    return row


def connection_of(row: Row[Any], master_keys: tuple[str, ...] = ()) -> Connection:
    return Connection(
        id=row.id,
        label=row.label,
        key_hint=row.key_hint,
        toolsets=_toolsets(row),
        read_only=row.read_only,
        route=_route(row),
        budget_usd=row.budget_usd,
        budget_calls_per_day=row.budget_calls_per_day,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        master_keys=master_keys,
    )


def readable_connections(rows: Iterable[tuple[Row[Any], tuple[str, ...]]]) -> list[Connection]:
    """The connections that can be read, without damaged ones."""
    found: list[Connection] = []
    for row, keys in rows:
        with suppress(VaultUnavailable), report_damage():
            found.append(connection_of(row, keys))
    return found


def unseal_data_key(row: Row[Any], token: Token, ring: MasterKeys, bound: Sequence[str] = ()) -> bytes:
    """Raises `VaultUnavailable` if the server's master keys do not open it."""
    if row.wrapped_key is None:
        raise _damage(row)
    try:
        inner = ring.unseal(row.master_key, row.wrapped_key, row.token_id, "wrapped data key")
        return unseal(token.key(), inner, row.token_id, "data key", *bound)
    except MasterKeyMissing as error:
        _log.error("Connection %s is on master key %s, which this server does not have.", row.id, error.key_id)
        raise VaultUnavailable(
            "This server lacks the master key of this connection.", "Tell its operator."
        ) from None
    except SealBroken:
        raise _damage(row) from None


def unseal_secrets(row: Row[Any], data_key: bytes) -> Secrets:
    """Raises `VaultUnavailable` if the row was changed since it was sealed."""
    if row.sealed_key is None and not _is_from_before_seals_of_no_key(row):
        raise _damage(row)
    terms = _Terms(row.id, row.route, row.toolsets, row.read_only, row.expires_at)
    try:
        key = _unseal(data_key, row.sealed_key, terms, "key")
        token = _unseal(data_key, row.sealed_route_token, terms, "route token")
    except SealBroken:
        raise _damage(row) from None
    if key == _NO_KEY:
        key = None
    return Secrets(key, token)


def _is_from_before_seals_of_no_key(row: Row[Any]) -> bool:
    return row.sealed_route_token is not None and seal_version(row.sealed_route_token) == 1


def _unseal(data_key: bytes, sealed: bytes | None, terms: _Terms, field: str) -> SecretStr | None:
    if sealed is None:
        return None
    return SecretStr(unseal(data_key, sealed, *terms.context(field, seal_version(sealed))).decode())


def credentials_of(row: Row[Any], token: Token, secrets: Secrets) -> Credentials:
    """The credentials of a connection."""
    return Credentials(
        key=secrets.api_key,
        source="the connection",
        route=_route(row),
        route_token=secrets.route_token,
        toolsets=_toolsets(row),
        read_only=row.read_only,
        connection_id=row.id,
        budget_usd=row.budget_usd,
        budget_calls_per_day=row.budget_calls_per_day,
        also_secret=(token.text,),
    )


@contextmanager
def report_damage() -> Generator[None]:
    """Turns values of unexpected types into an error about this row: it is damaged."""
    try:
        yield
    except (TypeError, ValueError, AttributeError) as error:
        _log.error("A connection's row cannot be read (%s): it was changed, or is damaged.", type(error).__name__)
        raise VaultUnavailable(*_DAMAGED) from None


def _damage(row: Row[Any]) -> VaultUnavailable:
    _log.error("Connection %s does not open: its row was changed since it was sealed, or is damaged.", row.id)
    return VaultUnavailable(*_DAMAGED)


def _toolsets(row: Row[Any]) -> tuple[str, ...] | None:
    if row.toolsets is None:
        return None
    return tuple(row.toolsets.split(","))


def _route(row: Row[Any]) -> Route | None:
    if not row.route:
        return None
    try:
        return Route.parse(row.route)
    except ValueError:  # a key bound to it cannot be unsealed either
        _log.error("Connection %s has a route that this version does not know.", row.id)
        return None
