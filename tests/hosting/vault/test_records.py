"""What a row is bound to, rows sealed by the older version, and damaged rows."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy import select, text, update

from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.vault import records
from mistral_mcp.hosting.vault.tables import connections
from mistral_mcp.hosting.vault.tokens import parse_token
from mistral_mcp.hosting.vault.vault import IssuedToken, Vault
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings
from tests.hosting.conftest import Clock

KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn1")
CLOUDFLARE = Route.parse("cloudflare://account/gateway")


def seal_as_version_1(key: bytes, plain: bytes, *context: str) -> bytes:
    """As it was stored before version 2: the format is frozen, so it is written down here."""
    version = b"mmcp-seal-1\0"
    parts = [part.encode() for part in context]
    bound = version + b"".join(len(part).to_bytes(4) + part for part in parts)
    nonce = os.urandom(12)
    return version + nonce + AESGCM(key).encrypt(nonce, plain, bound)


async def change(vault: Vault, issued: IssuedToken, **values: object) -> None:
    statement = update(connections).where(connections.c.id == issued.connection.id).values(values)
    await vault._database.write(lambda database: database.execute(statement))


async def turn_back_to_version_1(vault: Vault, issued: IssuedToken) -> None:
    token = parse_token(issued.token)
    row = await vault._reader.read_live(token)
    sealed = seal_as_version_1(
        records.unseal_data_key(row, token, vault._ring), KEY.get_secret_value().encode(), row.id, "key", ""
    )
    await change(vault, issued, sealed_key=sealed, key_digest=None)


async def sealed_key(vault: Vault, issued: IssuedToken) -> tuple[bytes, bytes | None]:
    statement = select(connections.c.sealed_key, connections.c.key_digest)
    of_this = statement.where(connections.c.id == issued.connection.id)
    row = await vault._database.read(lambda database: database.execute(of_this).one())
    return row.sealed_key, row.key_digest


@pytest.mark.parametrize(
    "values",
    [
        {"toolsets": "core,files"},
        {"toolsets": None},
        {"read_only": False},
        {"expires_at": datetime(2099, 1, 1, tzinfo=UTC)},
        {"expires_at": None},
        {"route": "direct"},
    ],
)
async def test_nobody_who_can_write_the_database_widens_what_a_connection_may_do(
    vault: Vault, clock: Clock, values: dict[str, object]
):
    issued = await vault.create(
        KEY, toolsets=["models"], read_only=True, expires_in_days=1, route=Route(kind="eu")
    )
    assert (await vault.credentials(issued.token, "a header")).key == KEY
    await change(vault, issued, **values)
    clock.pass_by(10)

    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.credentials(issued.token, "a header")


async def test_an_expired_connection_does_not_live_again(vault: Vault, clock: Clock):
    issued = await vault.create(KEY, expires_in_days=1)
    clock.pass_by(days=2)
    await change(vault, issued, expires_at=datetime(2099, 1, 1, tzinfo=UTC))

    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.credentials(issued.token, "a header")


async def test_a_row_of_version_1_opens_and_is_resealed_once_it_is_used(vault: Vault, clock: Clock):
    issued, unused = await vault.create(KEY, toolsets=["models"]), await vault.create(KEY)
    for each in (issued, unused):
        await turn_back_to_version_1(vault, each)

    assert (await vault.credentials(issued.token, "a header")).key == KEY
    await vault.write_last_used()

    sealed, digest = await sealed_key(vault, issued)
    assert sealed.startswith(b"mmcp-seal-2\0")
    assert digest is not None
    assert (await sealed_key(vault, unused))[0].startswith(b"mmcp-seal-1\0")
    clock.pass_by(10)
    assert (await vault.credentials(issued.token, "a header")).toolsets == ("models",)
    await change(vault, issued, toolsets=None)
    clock.pass_by(10)
    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.credentials(issued.token, "a header")


async def test_a_row_that_changed_while_it_was_resealed_stays_as_it_is(vault: Vault):
    issued = await vault.create(KEY)
    await turn_back_to_version_1(vault, issued)
    await vault.credentials(issued.token, "a header")
    await vault.revoke(issued.token)

    await vault.write_last_used()

    assert (await sealed_key(vault, issued))[0] is None


async def test_a_key_that_was_taken_out_of_a_row_beside_a_route_token_is_damage(vault: Vault, clock: Clock):
    """Else the gateway's own key would pay for the calls."""
    token = SecretStr("route-token-0123456789")
    issued = await vault.create(KEY, route=CLOUDFLARE, route_token=token)
    await change(vault, issued, sealed_key=None)
    clock.pass_by(10)

    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.credentials(issued.token, "a header")


async def test_a_connection_without_a_key_opens_by_its_route_token_also_where_it_is_an_older_one(
    vault: Vault, clock: Clock
):
    token = SecretStr("route-token-0123456789")
    issued = await vault.create(None, route=CLOUDFLARE, route_token=token)
    found = await vault.credentials(issued.token, "a header")
    row = await vault._reader.read_live(parse_token(issued.token))
    data_key = records.unseal_data_key(row, parse_token(issued.token), vault._ring)
    older = seal_as_version_1(data_key, token.get_secret_value().encode(), row.id, "route token", str(CLOUDFLARE))
    await change(vault, issued, sealed_key=None, sealed_route_token=older)
    clock.pass_by(10)

    found_again = await vault.credentials(issued.token, "a header")

    assert (found.key, found.route_token) == (found_again.key, found_again.route_token) == (None, token)


DAMAGE = [
    ("mmcp_tokens", "wrapped_key", "NULL"),
    ("mmcp_tokens", "wrapped_key", "'text'"),
    ("mmcp_tokens", "master_key", "'nobody'"),
    ("mmcp_connections", "sealed_key", "NULL"),
    ("mmcp_connections", "sealed_key", "'text'"),
    ("mmcp_connections", "toolsets", "'a,b'"),
    ("mmcp_connections", "expires_at", "'never'"),
    ("mmcp_connections", "created_at", "'long ago'"),
    ("mmcp_connections", "read_only", "'maybe'"),
]


@pytest.mark.parametrize(("table", "column", "value"), DAMAGE)
async def test_a_damaged_row_fails_alone_and_its_owner_can_revoke_it(
    sqlite_settings: Settings, table: str, column: str, value: str
):
    async with Vault.open(sqlite_settings) as vault:
        made = [await vault.create(KEY) for _ in range(5)]
        victim = made[2]
        name = "connection_id" if table == "mmcp_tokens" else "id"
        damage = text(f"UPDATE {table} SET {column} = {value} WHERE {name} = '{victim.connection.id}'")  # noqa: S608
        await vault._database.write(lambda database: database.execute(damage))

        for each in made:
            if each is victim:
                with pytest.raises(VaultUnavailable):
                    await vault.credentials(each.token, "a header")
            else:
                assert (await vault.credentials(each.token, "a header")).key == KEY
        assert {each.connection.id for each in made} - {each.id for each in await vault.connections()} <= {
            victim.connection.id
        }
        if column != "expires_at":
            assert await vault.revoke(victim.token) == victim.connection.id


async def test_a_change_keeps_the_token_and_is_sealed_again(vault: Vault, clock: Clock):
    issued = await vault.create(KEY, label="old", toolsets=["models"])
    other_key = SecretStr("tEsTkEy0123456789abcdefghijklmn2")

    changed = await vault.update(
        issued.token, lambda old: replace(old, label="new", toolsets=None, read_only=True), other_key
    )

    assert (changed.label, changed.key_hint, changed.id) == ("new", "lmn2", issued.connection.id)
    assert await vault.describe(issued.token) == changed
    found = await vault.credentials(issued.token, "a header")
    assert (found.key, found.toolsets, found.read_only) == (other_key, None, True)
