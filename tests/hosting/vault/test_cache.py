"""How long a look-up is cached, and who shares it."""

from contextlib import suppress

import anyio
import pytest
from pydantic import SecretStr

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import MistralMcpError, RefusedCredential, RevokedOrExpired, VaultUnavailable
from mistral_mcp.hosting.vault.cache import LIFE, Found, LookupCache
from mistral_mcp.hosting.vault.tokens import Token, new_token
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.settings import Settings
from tests.hosting.conftest import Clock

KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn1")


class Table:
    """What look-ups are made in: a dictionary, and a gate that keeps answers waiting."""

    def __init__(self, clock: Clock, *, hits: int = 10_000) -> None:
        self.rows: dict[bytes, Found | MistralMcpError] = {}
        self.queries = 0
        self.gate = anyio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.lookups = LookupCache(self.load, clock, hits=hits)

    def add(self) -> Token:
        token = new_token()
        self.rows[token.digest] = Found(token.digest.hex(), Credentials(KEY, "a header"))
        return token

    async def load(self, wanted: Token) -> Found:
        self.queries += 1
        row = self.rows.get(wanted.digest, RefusedCredential("unknown"))
        await self.gate.wait()
        if self.failure:
            raise self.failure
        if isinstance(row, MistralMcpError):
            raise row
        return row

    async def knows(self, token: Token) -> bool:
        try:
            await self.lookups.find(token)
        except (RefusedCredential, RevokedOrExpired):
            return False
        return True


@pytest.fixture
def table(clock: Clock) -> Table:
    return Table(clock)


async def test_a_look_up_is_kept_for_seconds_whether_it_hit_or_missed(table: Table, clock: Clock):
    hit, miss = table.add(), new_token()
    for _ in range(3):
        assert await table.knows(hit)
        assert not await table.knows(miss)
    assert table.queries == 2

    clock.pass_by(LIFE)
    assert await table.knows(hit)
    assert not await table.knows(miss)
    assert table.queries == 4


async def test_being_requested_often_makes_a_look_up_no_older(table: Table, clock: Clock):
    token = table.add()
    for _ in range(4):
        assert await table.knows(token)
        clock.pass_by(LIFE / 3)

    assert table.queries == 2


async def test_a_look_up_is_as_old_as_its_question(table: Table, clock: Clock):
    token = table.add()
    table.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(table.knows, token)
        await anyio.wait_all_tasks_blocked()
        clock.pass_by(LIFE)
        table.gate.set()

    assert await table.knows(token)
    assert table.queries == 2


async def test_who_asks_for_the_same_at_once_shares_one_question(table: Table):
    token = table.add()
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(table.knows, token)

    assert table.queries == 1


async def test_misses_push_no_hit_out(table: Table):
    hit = table.add()
    assert await table.knows(hit)
    for _ in range(1500):
        assert not await table.knows(new_token())
    asked = table.queries

    assert await table.knows(hit)
    assert table.queries == asked
    assert len(table.lookups._misses) == 1000


async def test_hits_are_bounded_too_and_the_oldest_goes(clock: Clock):
    table = Table(clock, hits=10)
    tokens = [table.add() for _ in range(11)]
    for token in tokens:
        assert await table.knows(token)
    asked = table.queries

    assert await table.knows(tokens[10])
    assert table.queries == asked
    assert await table.knows(tokens[0])
    assert table.queries == asked + 1


async def test_keys_of_those_who_left_do_not_stay_in_memory(table: Table, clock: Clock):
    await table.knows(table.add())
    await table.knows(new_token())
    clock.pass_by(LIFE)

    table.lookups.purge()

    assert not list(table.lookups._hits)
    assert not list(table.lookups._misses)


async def test_who_disconnects_takes_the_answer_from_nobody(table: Table):
    token = table.add()
    table.gate = anyio.Event()
    answers: list[bool] = []

    async def ask() -> None:
        answers.append(await table.knows(token))

    async with anyio.create_task_group() as group, anyio.create_task_group() as leaving:
        leaving.start_soon(table.knows, token)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        leaving.cancel_scope.cancel()
        table.gate.set()

    assert answers == [True]
    assert table.queries == 1


async def test_a_failure_is_reported_to_all_who_wait_each_in_its_own_words_and_is_not_kept(table: Table):
    token, other = table.add(), table.add()
    table.failure = VaultUnavailable("away")
    failures: list[VaultUnavailable] = []

    async def ask(token: Token) -> None:
        try:
            await table.lookups.find(token)
        except VaultUnavailable as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for each in (token, token, other):
            group.start_soon(ask, each)
    assert [str(failure) for failure in failures] == ["away"] * 3
    assert len(set(map(id, failures))) == 3

    table.failure = None
    assert await table.knows(token)


async def test_nobody_hears_a_failure_when_all_who_asked_are_gone(table: Table):
    table.failure, table.gate = VaultUnavailable("away"), anyio.Event()
    token = table.add()
    with anyio.move_on_after(0.01):
        await table.lookups.find(token)
    table.gate.set()
    await anyio.wait_all_tasks_blocked()

    table.failure = None
    assert await table.knows(token)


async def test_a_bug_leaves_nobody_waiting(table: Table):
    token = table.add()
    table.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await table.lookups.find(token)

    table.failure = None
    assert await table.knows(token)


async def test_what_is_forgotten_is_not_brought_back_by_a_question_in_flight(table: Table):
    token = table.add()
    table.gate = anyio.Event()
    answers: dict[str, bool] = {}

    async def ask(when: str) -> None:
        answers[when] = await table.knows(token)

    async with anyio.create_task_group() as group:
        group.start_soon(ask, "before")
        await anyio.wait_all_tasks_blocked()
        table.rows[token.digest] = RevokedOrExpired("revoked")
        table.lookups.forget(token.digest.hex())
        group.start_soon(ask, "after")
        await anyio.wait_all_tasks_blocked()
        table.gate.set()

    assert answers == {"before": True, "after": False}
    assert not await table.knows(token)


async def test_closing_leaves_nobody_waiting(table: Table):
    table.gate = anyio.Event()
    token = table.add()
    async with anyio.create_task_group() as group:

        async def ask() -> None:
            with suppress(anyio.get_cancelled_exc_class()):
                await table.lookups.find(token)

        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        await table.lookups.aclose()


@pytest.mark.parametrize("end", ["revoke", "rotate"])
async def test_an_ended_token_is_felt_at_once_here_and_on_every_replica_within_five_seconds(
    settings: Settings, vault: Vault, clock: Clock, end: str
):
    created = await vault.create(KEY)
    async with Vault.open(settings, now=clock.now, clock=clock) as replica:
        assert (await vault.credentials(created.token, "a header")).key == KEY
        assert (await replica.credentials(created.token, "a header")).key == KEY

        await (vault.revoke(created.token) if end == "revoke" else vault.rotate(created.token))

        with pytest.raises(RevokedOrExpired):
            await vault.credentials(created.token, "a header")
        clock.pass_by(4.9)
        with pytest.raises(RevokedOrExpired):
            await replica.credentials(created.token, "a header")


async def test_a_connection_made_on_one_replica_works_on_the_other_at_once(settings: Settings, vault: Vault):
    async with Vault.open(settings) as replica:
        created = await vault.create(KEY)

        assert (await replica.credentials(created.token, "a header")).key == KEY
