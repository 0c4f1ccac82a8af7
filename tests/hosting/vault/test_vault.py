"""The vault, the same on SQLite and on Postgres."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import anyio
import anyio.lowlevel
import pytest
from pydantic import SecretStr

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BadArgument, RefusedCredential, RevokedOrExpired
from mistral_mcp.hosting.vault.connection import new_id
from mistral_mcp.hosting.vault.tokens import new_token
from mistral_mcp.hosting.vault.vault import AlreadyCreated, Connection, IssuedToken, Vault
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings
from tests.hosting.conftest import Clock

KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn1")
OTHER_KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn2")
CLOUDFLARE = Route.parse("cloudflare://acc0unt/gateway")

Look = Callable[[Vault, SecretStr], Awaitable[object]]

looks = pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda vault, token: vault.credentials(token, "a header"), id="credentials"),
        pytest.param(lambda vault, token: vault.describe(token), id="describe"),
        pytest.param(lambda vault, token: vault.rotate(token), id="rotate"),
        pytest.param(lambda vault, token: vault.revoke(token), id="revoke"),
    ],
)


async def key_of(vault: Vault, created: IssuedToken) -> SecretStr | None:
    return (await vault.credentials(created.token, "a header")).key


async def test_a_token_stands_for_the_key_and_for_what_the_connection_may_do(vault: Vault):
    created = await vault.create(
        KEY, toolsets=["core", "files"], read_only=True, route=CLOUDFLARE, route_token=SecretStr("gateway-secret")
    )

    assert await vault.credentials(created.token, "the X-API-Key header") == Credentials(
        key=KEY,
        source="the X-API-Key header",
        route=CLOUDFLARE,
        route_token=SecretStr("gateway-secret"),
        toolsets=("core", "files"),
        read_only=True,
        connection_id=created.connection.id,
        also_secret=(created.token,),
    )


async def test_a_connection_is_limited_in_nothing_unless_it_asks(vault: Vault):
    created = await vault.create(KEY)

    assert await vault.credentials(created.token, "a header") == Credentials(
        key=KEY, source="a header", connection_id=created.connection.id, also_secret=(created.token,)
    )


async def test_a_connection_is_described_without_a_secret(vault: Vault, clock: Clock):
    created = await vault.create(
        KEY, label="Büro 🖥", toolsets=["core"], expires_in_days=7, route=Route.parse("eu")
    )

    described = await vault.describe(created.token)

    assert described == created.connection
    assert described == Connection(
        id=described.id,
        label="Büro 🖥",
        key_hint="lmn1",
        toolsets=("core",),
        read_only=False,
        route=Route(kind="eu"),
        created_at=clock.now(),
        last_used_at=None,
        expires_at=clock.now() + timedelta(days=7),
        revoked_at=None,
    )
    assert KEY.get_secret_value() not in repr(created)
    assert created.token.get_secret_value() not in repr(created)


async def test_of_a_short_key_no_hint_is_kept(vault: Vault):
    created = await vault.create(SecretStr("0123456789"))

    assert created.connection.key_hint == ""


async def test_every_connection_has_its_own_key(vault: Vault):
    keys = [SecretStr(f"tEsTkEy{number:025}") for number in range(20)]
    created = [await vault.create(key) for key in keys]

    assert [await key_of(vault, each) for each in created] == keys
    assert [await key_of(vault, each) for each in reversed(created)] == keys[::-1]


async def test_a_connection_stays_when_the_vault_is_opened_again(settings: Settings):
    async with Vault.open(settings) as vault:
        created = await vault.create(KEY)

    async with Vault.open(settings) as vault:
        assert await key_of(vault, created) == KEY


@looks
async def test_an_unknown_token_is_refused(vault: Vault, look: Look):
    with pytest.raises(RefusedCredential, match="No connection has this token"):
        await look(vault, new_token().text)


@looks
async def test_a_mistyped_token_is_refused_as_such(vault: Vault, look: Look):
    created = await vault.create(KEY)

    with pytest.raises(RefusedCredential, match="mistyped or cut short"):
        await look(vault, SecretStr(created.token.get_secret_value()[:-1]))


@looks
async def test_a_revoked_token_is_reported(vault: Vault, look: Look):
    created = await vault.create(KEY)
    await vault.revoke(created.token)

    with pytest.raises(RevokedOrExpired, match=r"revoked on 2026-11-21 at 12:00 UTC"):
        await look(vault, created.token)


@looks
async def test_an_expired_token_is_reported(vault: Vault, clock: Clock, look: Look):
    created = await vault.create(KEY, expires_in_days=1)
    clock.pass_by(days=1)

    with pytest.raises(RevokedOrExpired, match=r"expired on 2026-11-22"):
        await look(vault, created.token)


@looks
async def test_a_token_that_was_replaced_is_reported(vault: Vault, look: Look):
    created = await vault.create(KEY)
    await vault.rotate(created.token)

    with pytest.raises(RevokedOrExpired, match="replaced"):
        await look(vault, created.token)


async def test_a_connection_works_until_it_expires(vault: Vault, clock: Clock):
    created = await vault.create(KEY, expires_in_days=1)
    clock.pass_by(86_399)

    assert await key_of(vault, created) == KEY


async def test_a_rotated_connection_is_the_same_under_a_new_token(vault: Vault):
    created = await vault.create(KEY, label="phone", read_only=True)

    rotated = await vault.rotate(created.token)

    assert rotated.token != created.token
    assert rotated.connection == created.connection
    found = await vault.credentials(rotated.token, "a header")
    assert (found.key, found.read_only) == (KEY, True)


async def test_a_token_is_rotated_only_once_however_many_try(vault: Vault):
    created = await vault.create(KEY)
    outcomes: list[IssuedToken | RevokedOrExpired] = []

    async def rotate() -> None:
        try:
            outcomes.append(await vault.rotate(created.token))
        except RevokedOrExpired as error:
            outcomes.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(rotate)

    [rotated] = [outcome for outcome in outcomes if isinstance(outcome, IssuedToken)]
    assert len(outcomes) == 8
    assert await key_of(vault, rotated) == KEY


async def test_revoking_ends_every_token_of_the_connection_and_no_other_connection(vault: Vault):
    created, other = await vault.create(KEY), await vault.create(OTHER_KEY)
    rotated = await vault.rotate(created.token)

    await vault.revoke(rotated.token)

    for token in (created.token, rotated.token):
        with pytest.raises(RevokedOrExpired):
            await vault.credentials(token, "a header")
    assert await key_of(vault, other) == OTHER_KEY


async def test_the_operator_revokes_by_id(vault: Vault):
    created = await vault.create(KEY)
    assert await key_of(vault, created) == KEY

    assert await vault.revoke_by_ids([created.connection.id, "unknown"]) == [created.connection.id]
    assert await vault.revoke_by_ids([created.connection.id]) == []

    with pytest.raises(RevokedOrExpired):
        await vault.credentials(created.token, "a header")


async def test_the_operator_sees_all_connections_oldest_first(vault: Vault, clock: Clock):
    made: list[IssuedToken] = []
    for label in ("first", "second", "third"):
        made.append(await vault.create(KEY, label=label))
        clock.pass_by(1)
    await vault.rotate(made[1].token)
    await vault.revoke(made[2].token)

    listed = await vault.connections()

    assert [each.label for each in listed] == ["first", "second", "third"]
    assert listed[0].master_keys == listed[1].master_keys != ()
    assert listed[2].master_keys == ()
    assert [each.revoked_at is not None for each in listed] == [False, False, True]


async def test_use_is_dated_and_looking_at_a_page_is_no_use(vault: Vault, clock: Clock):
    used, looked_at = await vault.create(KEY), await vault.create(OTHER_KEY)
    clock.pass_by(100)
    await vault.credentials(used.token, "a header")
    await vault.describe(looked_at.token)
    assert (await vault.describe(used.token)).last_used_at is None  # not on the way of the call

    await vault.write_last_used()

    assert (await vault.describe(used.token)).last_used_at == clock.now()
    assert (await vault.describe(looked_at.token)).last_used_at is None


async def test_use_is_never_dated_back(settings: Settings, vault: Vault, clock: Clock):
    created = await vault.create(KEY)
    slow = Clock(seconds=50)
    async with Vault.open(settings, now=slow.now, clock=slow) as behind:
        await behind.credentials(created.token, "a header")
        clock.pass_by(100)
        await vault.credentials(created.token, "a header")
        await vault.write_last_used()

    assert (await vault.describe(created.token)).last_used_at == clock.now()


async def test_use_is_dated_when_the_vault_closes(settings: Settings, clock: Clock):
    async with Vault.open(settings, now=clock.now, clock=clock) as vault:
        created = await vault.create(KEY)
        await vault.credentials(created.token, "a header")

    async with Vault.open(settings) as vault:
        assert (await vault.describe(created.token)).last_used_at == clock.now()


async def test_use_is_dated_in_the_background(settings: Settings, clock: Clock):
    async with Vault.open(settings, now=clock.now, clock=clock, minute=0.001) as vault:
        created = await vault.create(KEY)
        await vault.credentials(created.token, "a header")
        with anyio.fail_after(5):
            while (await vault.describe(created.token)).last_used_at is None:
                await anyio.lowlevel.checkpoint()


async def test_a_round_that_fails_is_logged_and_not_the_last(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
):
    broken = True

    def now() -> datetime:
        nonlocal broken
        if clock.seconds and broken:
            broken = False
            raise ZeroDivisionError
        return clock.now()

    async with Vault.open(settings, now=now, clock=clock, minute=0.001) as vault:
        await vault.create(KEY)
        clock.pass_by(days=30)
        with anyio.fail_after(5):
            while await vault.connections():
                await anyio.lowlevel.checkpoint()
    assert "ZeroDivisionError" in caplog.text


async def test_what_nobody_used_is_swept_in_the_background(settings: Settings, clock: Clock):
    async with Vault.open(settings, now=clock.now, clock=clock, minute=0.001) as vault:
        await vault.create(KEY)
        clock.pass_by(days=30)
        with anyio.fail_after(5):
            while await vault.connections():
                await anyio.lowlevel.checkpoint()


async def test_connections_that_nobody_ever_used_are_swept(vault: Vault, clock: Clock):
    used, unused = await vault.create(KEY), await vault.create(OTHER_KEY)
    await vault.credentials(used.token, "a header")
    clock.pass_by(days=29)
    assert await vault.sweep() == 0
    late = await vault.create(OTHER_KEY)
    clock.pass_by(days=1)

    assert await vault.sweep() == 1

    with pytest.raises(RefusedCredential):
        await vault.credentials(unused.token, "a header")
    assert await key_of(vault, used) == KEY
    assert await key_of(vault, late) == OTHER_KEY


async def test_what_ended_is_reported_for_a_while_and_then_swept(vault: Vault, clock: Clock):
    revoked, expired, rotated = [await vault.create(KEY, expires_in_days=days) for days in (None, 1, None)]
    for each in (revoked, expired, rotated):
        await vault.credentials(each.token, "a header")
    await vault.revoke(revoked.token)
    newer = await vault.rotate(rotated.token)
    clock.pass_by(days=80)
    await vault.sweep()
    for each in (revoked, expired, rotated):
        with pytest.raises(RevokedOrExpired):
            await vault.credentials(each.token, "a header")
    clock.pass_by(days=20)

    assert await vault.sweep() == 2

    for each in (revoked, expired, rotated):
        with pytest.raises(RefusedCredential):
            await vault.credentials(each.token, "a header")
    assert await key_of(vault, newer) == KEY


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"route": Route.parse("https://evil.example/v1")}, "never a URL"),
        ({"route_token": SecretStr("secret")}, "route_token needs a route"),
        ({"route": Route.parse("lava://byok")}, "need route_token"),
        ({"api_key": None}, "api_key is missing"),
        ({"api_key": None, "route": CLOUDFLARE}, "api_key is missing"),
        ({"label": "x" * 101}, "at most 100"),
        ({"label": "two\nlines"}, "one line"),
        ({"expires_in_days": 0}, "between 1 and 3650"),
        ({"expires_in_days": 10**9}, "between 1 and 3650"),
    ],
)
async def test_what_a_connection_cannot_be_is_refused_and_nothing_is_kept(vault: Vault, options, message):
    with pytest.raises(BadArgument, match=message):
        await vault.create(**{"api_key": KEY, **options})

    assert await vault.connections() == []


async def test_a_route_that_pays_by_its_own_token_needs_no_key(vault: Vault):
    created = await vault.create(None, route=Route.parse("lava://"), route_token=SecretStr("lava-secret"))

    found = await vault.credentials(created.token, "a header")

    assert (found.key, found.route_token) == (None, SecretStr("lava-secret"))


async def test_a_connection_of_a_given_id_is_made_once_however_many_replicas_are_asked(
    settings: Settings, vault: Vault
):
    connection_id = new_id()
    created = await vault.create(KEY, connection_id=connection_id)
    async with Vault.open(settings) as replica:
        with pytest.raises(AlreadyCreated):
            await replica.create(OTHER_KEY, connection_id=connection_id)

    assert created.connection.id == connection_id
    assert len(await vault.connections()) == 1
    assert await key_of(vault, created) == KEY


async def test_every_replica_derives_the_same_keys_for_a_purpose_and_others_for_another(
    settings: Settings, vault: Vault
):
    async with Vault.open(settings) as replica:
        assert vault.derive_keys("forms") == replica.derive_keys("forms")

    assert set(vault.derive_keys("forms")).isdisjoint(vault.derive_keys("cookies"))


async def test_the_vault_is_ready_once_it_is_open(vault: Vault):
    await vault.check_ready()


async def test_many_at_once_get_what_is_theirs(vault: Vault, clock: Clock):
    keys = [SecretStr(f"tEsTkEy{number:025}") for number in range(150)]
    created: dict[int, IssuedToken] = {}
    found: list[tuple[SecretStr, SecretStr | None]] = []

    async def create(number: int) -> None:
        created[number] = await vault.create(keys[number])

    async def look_up(number: int) -> None:
        found.append((keys[number], await key_of(vault, created[number])))

    async with anyio.create_task_group() as group:
        for number in range(len(keys)):
            group.start_soon(create, number)
    for _ in range(2):
        clock.pass_by(10)
        async with anyio.create_task_group() as group:
            for number in [*range(len(keys)), *range(len(keys))]:
                group.start_soon(look_up, number)

    assert len(found) == 4 * len(keys)
    assert all(wanted == got for wanted, got in found)
