"""A connection as it is described, and as it is stored: what is sealed, under what, and how it opens again."""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Row

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BadArgument, RefusedCredential, RevokedOrExpired, VaultUnavailable
from mistral_mcp.hosting.vault.sealing import MasterKeyMissing, MasterKeys, SealBroken, new_key, seal, unseal
from mistral_mcp.hosting.vault.tokens import Token
from mistral_mcp.route import Route

_HINT, _LONG_ENOUGH = 4, 16  # of a shorter key, four characters would tell too much

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What may be shown of a connection: no secret. Times are aware, in UTC."""

    id: str
    label: str
    key_hint: str
    """The last four characters of the Mistral key."""
    toolsets: tuple[str, ...] | None
    """None: not limited."""
    read_only: bool
    route: Route | None
    """None: the operator's."""
    created_at: datetime
    last_used_at: datetime | None
    """To the minute."""
    expires_at: datetime | None
    revoked_at: datetime | None
    master_keys: tuple[str, ...] = ()
    """Ids of the master keys its live tokens are on; only `Vault.connections` fills it."""


class WrongField(BadArgument):
    """A field that cannot be taken as it is; `field` says which."""

    def __init__(self, field: str, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.field = field


def new_id() -> str:
    return secrets.token_hex(8)


def key_hint(api_key: SecretStr | None) -> str:
    key = api_key.get_secret_value() if api_key else ""
    return key[-_HINT:] if len(key) >= _LONG_ENOUGH else ""


def check_route(api_key: SecretStr | None, route: Route | None, route_token: SecretStr | None) -> None:
    """Raises `WrongField` for what a tenant may not ask for, or what could never work."""
    if route is not None and route.kind == "base":
        raise WrongField("route", "A connection's route is one of the known kinds, never a URL.")
    if route_token is not None and route is None:
        advice = "Give the route too, or leave both out."
        raise WrongField("route_token", "route_token goes with a route of one's own.", advice)
    if route is not None and route.kind in {"lava", "lava-byok"} and route_token is None:
        raise WrongField("route_token", "The lava routes need route_token, Lava's secret key.")
    if api_key is None and not (route is not None and route.pays(route_token)):
        advice = "Give a Mistral API key (from https://console.mistral.ai)."
        raise WrongField("api_key", "api_key is missing.", advice)


def new_row(
    connection: Connection, api_key: SecretStr | None, route_token: SecretStr | None
) -> tuple[dict[str, Any], bytes]:
    """The row of a new connection, and the data key that opens it."""
    data_key = new_key()
    route = str(connection.route) if connection.route else ""

    def sealed(secret: SecretStr | None, field: str) -> bytes | None:
        # Bound to the route, so that nobody who can write the database has the key sent another way.
        return seal(data_key, secret.get_secret_value().encode(), connection.id, field, route) if secret else None

    row = {
        "id": connection.id,
        "label": connection.label,
        "key_hint": connection.key_hint,
        "sealed_key": sealed(api_key, "key"),
        "sealed_route_token": sealed(route_token, "route token"),
        "toolsets": None if connection.toolsets is None else ",".join(connection.toolsets),
        "read_only": connection.read_only,
        "route": route or None,
        "created_at": connection.created_at,
        "expires_at": connection.expires_at,
    }
    return row, data_key


def new_token_row(token: Token, connection_id: str, data_key: bytes, ring: MasterKeys, now: datetime) -> dict[str, Any]:
    """The row of a new token: the data key under the token's key, and that under the first master key."""
    token_id = new_id()
    inner = seal(token.key(), data_key, token_id, "data key")
    return {
        "id": token_id,
        "connection_id": connection_id,
        "digest": token.digest,
        "wrapped_key": ring.seal(inner, token_id, "wrapped data key"),
        "master_key": ring.first,
        "created_at": now,
    }


def reseal_token(ring: MasterKeys, token_id: str, key_id: str, wrapped: bytes) -> bytes:
    """The same under the first master key. Raises `MasterKeyMissing` or `SealBroken`."""
    return ring.seal(ring.unseal(key_id, wrapped, token_id, "wrapped data key"), token_id, "wrapped data key")


def check_live(row: Row[Any] | None, now: datetime) -> Row[Any]:
    """A token's row with its connection's. Raises a `CredentialError` unless it is good now."""
    if row is None:
        raise RefusedCredential("No connection has this token.", "Copy it again, or make a new connection.")
    for what, when in (
        ("This connection was revoked", row.revoked_at),
        ("This connection expired", row.expires_at),
        ("This token was replaced by a newer one", row.ended_at),
    ):
        if when is not None and when <= now:
            raise RevokedOrExpired(f"{what} on {when:%Y-%m-%d at %H:%M} UTC.", "Use the newer one, or connect again.")
    return row


def connection_of(row: Row[Any], master_keys: tuple[str, ...] = ()) -> Connection:
    return Connection(
        id=row.id,
        label=row.label,
        key_hint=row.key_hint,
        toolsets=_toolsets(row),
        read_only=row.read_only,
        route=_route(row),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        master_keys=master_keys,
    )


def unseal_data_key(row: Row[Any], token: Token, ring: MasterKeys) -> bytes:
    """Raises `VaultUnavailable` where the server's master keys do not open it."""
    try:
        inner = ring.unseal(row.master_key, row.wrapped_key, row.token_id, "wrapped data key")
        return unseal(token.key(), inner, row.token_id, "data key")
    except MasterKeyMissing as error:
        _log.error("Connection %s is on master key %s, which this server does not have.", row.id, error.key_id)
        raise VaultUnavailable(
            "This server lacks the master key that the connection is sealed with.", "Tell its operator."
        ) from None
    except SealBroken:
        raise _damaged(row) from None


def unseal_credentials(row: Row[Any], token: Token, ring: MasterKeys) -> Credentials:
    """What the connection may do, and with whose key. Raises `VaultUnavailable` as above."""
    key = unseal_data_key(row, token, ring)

    def secret(sealed: bytes | None, field: str) -> SecretStr | None:
        return SecretStr(unseal(key, sealed, row.id, field, row.route or "").decode()) if sealed is not None else None

    try:
        return Credentials(
            key=secret(row.sealed_key, "key"),
            source="the connection",
            route=_route(row),
            route_token=secret(row.sealed_route_token, "route token"),
            toolsets=_toolsets(row),
            read_only=row.read_only,
            also_secret=(token.text,),
        )
    except SealBroken:
        raise _damaged(row) from None


def _damaged(row: Row[Any]) -> VaultUnavailable:
    _log.error("Connection %s does not open: its row was changed since it was sealed, or is damaged.", row.id)
    return VaultUnavailable("What is stored of this connection is damaged.", "Revoke it, and make a new one.")


def _toolsets(row: Row[Any]) -> tuple[str, ...] | None:
    return None if row.toolsets is None else tuple(row.toolsets.split(","))


def _route(row: Row[Any]) -> Route | None:
    try:
        return Route.parse(row.route) if row.route else None
    except ValueError:  # where a key is bound to it, the key does not open either
        _log.error("Connection %s has no route that this version knows.", row.id)
        return None
