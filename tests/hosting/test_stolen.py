"""A stolen database reveals nothing, with the master keys or without."""

import base64
from collections.abc import AsyncIterator
from itertools import chain, product
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, select, text, update

from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.vault.sealing import SealBroken, unseal
from mistral_mcp.hosting.vault.tables import connections, metadata, tokens
from mistral_mcp.hosting.vault.tokens import parse_token
from mistral_mcp.hosting.vault.vault import IssuedToken, Vault
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings
from tests.hosting.conftest import Clock

KEYS = [SecretStr(f"tEsTkEyOfTenant{number:017}") for number in range(5)]
ROUTE_TOKEN = SecretStr("r0uteT0kenOfTenant")
CLOUDFLARE = Route.parse("cloudflare://acc0unt/gateway")


@pytest.fixture
async def issued_tokens(vault: Vault) -> AsyncIterator[list[IssuedToken]]:
    made = [await vault.create(key, route=CLOUDFLARE, route_token=ROUTE_TOKEN) for key in KEYS]
    made[3] = await vault.rotate(made[3].token)
    await vault.revoke(made[4].token)
    return made


async def read_all_values(vault: Vault) -> bytes:
    """Every value of every row of every table, as the database has it."""
    values: list[object] = []

    def work(database: Connection) -> None:
        for table in metadata.tables:
            for row in database.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 - our own names
                values.extend(row)

    await vault._database.read(work)
    return b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "master.key"}


def forms(secret: bytes) -> set[bytes]:
    encoded = {base64.b64encode(secret)[:-4], base64.urlsafe_b64encode(secret)[:-4], secret.hex().encode()}
    return {secret, secret[5:], *encoded}


def can_open(key: bytes, sealed: bytes, context: list[str]) -> bool:
    try:
        unseal(key, sealed, *context)
    except SealBroken:
        return False
    return True


def secrets_of(made: list[IssuedToken], settings: Settings) -> set[bytes]:
    found = {secret.get_secret_value().encode() for secret in (*KEYS, ROUTE_TOKEN, *(each.token for each in made))}
    found |= {parse_token(each.token).key() for each in made}
    keys = [key.get_secret_value() for key in settings.master_keys]
    found |= {bytes.fromhex(key) for key in keys or [(settings.data_dir / "master.key").read_text().strip()]}
    return set(chain.from_iterable(map(forms, found)))


async def test_no_key_and_no_token_is_in_any_row(
    settings: Settings, vault: Vault, issued_tokens: list[IssuedToken]
):
    await vault.credentials(issued_tokens[0].token, "a header")
    await vault.write_last_used()
    everything = await read_all_values(vault)

    assert issued_tokens[0].connection.id.encode() in everything
    assert {secret for secret in secrets_of(issued_tokens, settings) if secret in everything} == set()


async def test_no_key_and_no_token_is_in_any_byte_of_the_files(sqlite_settings: Settings):
    data_dir = Path(str(sqlite_settings.data_dir))
    async with Vault.open(sqlite_settings) as vault:
        made = [await vault.create(key, route=CLOUDFLARE, route_token=ROUTE_TOKEN) for key in KEYS]
        await vault.rotate(made[3].token)
        await vault.revoke(made[4].token)
        opened = contents(data_dir)
    closed = contents(data_dir)

    assert set(opened) == {"vault.db", "vault.db-wal", "vault.db-shm"}
    assert made[0].connection.id.encode() in closed["vault.db"]
    for content in (*opened.values(), *closed.values()):
        assert {secret for secret in secrets_of(made, sqlite_settings) if secret in content} == set()


async def test_the_database_and_the_master_keys_open_nothing_without_a_token(
    vault: Vault, issued_tokens: list[IssuedToken]
):
    both = select(tokens, connections).join_from(tokens, connections)
    rows = await vault._database.read(lambda database: database.execute(both).mappings().all())
    live = [row for row in rows if row["wrapped_key"]]
    # The outer layer comes off; what is below does not open with anything there is.
    bare = [
        vault._ring.unseal(row["master_key"], row["wrapped_key"], row["id"], "wrapped data key") for row in live
    ]
    material = await read_all_values(vault) + b"".join(bare) + b"".join(vault._ring._keys.values())
    candidates = {material[start : start + 32] for start in range(len(material) - 31)}
    assert len(live) == 4
    assert len(candidates) > 1000

    sealed: list[tuple[bytes, list[str]]] = []
    for row, inner in zip(live, bare, strict=True):
        sealed += [
            (inner, [row["id"], "data key"]),
            (row["sealed_key"], [row["connection_id"], "key", str(CLOUDFLARE)]),
            (row["sealed_route_token"], [row["connection_id"], "route token", str(CLOUDFLARE)]),
        ]

    def count_opened(keys: set[bytes]) -> int:
        return sum(can_open(key, *each) for key, each in product(keys, sealed))

    assert count_opened(candidates) == 0
    assert count_opened({parse_token(issued_tokens[0].token).key()}) == 1  # the same with one token at hand


async def test_what_ended_is_erased(vault: Vault, clock: Clock):
    revoked, rotated = await vault.create(KEYS[0]), await vault.create(KEYS[1])
    expired = await vault.create(KEYS[2], expires_in_days=1)
    await vault.credentials(expired.token, "a header")
    await vault.revoke(revoked.token)
    newer = await vault.rotate(rotated.token)
    clock.pass_by(days=1)
    await vault.sweep()

    with_key = select(connections.c.id).where(connections.c.sealed_key.is_not(None))
    with_data_key = select(tokens.c.digest).where(tokens.c.wrapped_key.is_not(None))
    sealed = await vault._database.read(lambda database: database.execute(with_key).all())
    wrapped = await vault._database.read(lambda database: database.execute(with_data_key).all())
    assert [row.id for row in sealed] == [rotated.connection.id]
    assert [row.digest for row in wrapped] == [parse_token(newer.token).digest]


@pytest.mark.parametrize("column", ["sealed_key", "sealed_route_token", "route"])
async def test_nobody_who_can_write_the_database_moves_a_key_or_sends_it_another_way(
    vault: Vault, issued_tokens: list[IssuedToken], column: str, clock: Clock
):
    victim, other = issued_tokens[0].connection.id, issued_tokens[1].connection.id
    theirs = select(connections.c[column]).where(connections.c.id == other).scalar_subquery()
    value = "cloudflare://thief/gateway" if column == "route" else theirs
    attack = update(connections).where(connections.c.id == victim).values({column: value})
    await vault._database.write(lambda database: database.execute(attack))
    clock.pass_by(10)

    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.credentials(issued_tokens[0].token, "a header")
    assert (await vault.credentials(issued_tokens[1].token, "a header")).key == KEYS[1]


async def test_nobody_who_can_write_the_database_opens_a_connection_with_a_token_of_their_own(
    vault: Vault, issued_tokens: list[IssuedToken]
):
    mine, victim = parse_token(issued_tokens[0].token), issued_tokens[1].connection.id
    attack = update(tokens).where(tokens.c.digest == mine.digest).values(connection_id=victim)
    await vault._database.write(lambda database: database.execute(attack))

    with pytest.raises(VaultUnavailable, match="damaged"):
        await vault.credentials(issued_tokens[0].token, "a header")


@pytest.mark.parametrize("end", ["revoke", "rotate", "update", "sweep"])
async def test_what_is_erased_is_in_no_file_while_the_server_runs(
    sqlite_settings: Settings, clock: Clock, end: str
):
    data_dir = Path(str(sqlite_settings.data_dir))
    async with Vault.open(sqlite_settings, now=clock.now, clock=clock) as vault:
        issued = await vault.create(KEYS[0], expires_in_days=1)
        await vault.create(KEYS[1])
        statement = select(connections.c.sealed_key, tokens.c.wrapped_key).join_from(tokens, connections)
        of_this = statement.where(connections.c.id == issued.connection.id)
        before = await vault._database.read(lambda database: database.execute(of_this).one())
        gone = {"revoke": [*before], "rotate": [before[1]], "update": [before[0]], "sweep": [*before]}[end]
        assert all(any(each in content for content in contents(data_dir).values()) for each in gone)

        match end:
            case "revoke":
                await vault.revoke(issued.token)
            case "rotate":
                await vault.rotate(issued.token)
            case "update":
                await vault.update(issued.token, lambda old: old, KEYS[2])
            case _:
                clock.pass_by(days=2)
                await vault.sweep()

        for content in contents(data_dir).values():
            assert not any(each in content for each in gone)
