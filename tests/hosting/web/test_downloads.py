"""Links to long results: whole, in ranges, once; of two replicas, on both databases."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import text, update

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import ExpiredResult, ResultTooLarge, UnknownResult
from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.vault import maintenance
from mistral_mcp.hosting.vault import results as stored_results
from mistral_mcp.hosting.vault.handles import row_id, sealing_key
from mistral_mcp.hosting.vault.sealing import seal
from mistral_mcp.hosting.vault.tables import metadata, results
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.kept_results import MAX_BYTES, Content, Owner
from mistral_mcp.settings import Settings
from tests.conftest import KEY, serving
from tests.hosting.conftest import Clock

DATA = bytes(range(256)) * 10_000  # more than two pieces


def owner(connection_id: str | None = "alice", key: str = KEY, base: str = "https://host.example") -> Owner:
    return Owner(Credentials(SecretStr(key), "a header", connection_id=connection_id), base)


def content(data: bytes = DATA, kind: str = "application/pdf", name: str = "a report.pdf") -> Content:
    return Content(data, kind, name)


async def test_a_result_is_read_by_its_owner_alone(vault: Vault):
    location = await vault.results.keep(owner(), content())

    assert location.url == f"https://host.example/results/{location.handle}"
    assert await vault.results.read(owner(), location.handle) == content()
    for other in (owner("bob"), owner(None)):
        with pytest.raises(UnknownResult):
            await vault.results.read(other, location.handle)
    with pytest.raises(UnknownResult):
        await vault.results.read(owner(), "kr_" + "x" * 32)


async def test_a_callers_own_key_is_an_owner_too(vault: Vault):
    location = await vault.results.keep(owner(None), content())

    assert await vault.results.read(owner(None), location.handle) == content()
    with pytest.raises(UnknownResult):
        await vault.results.read(owner(None, key="another-key-0123456789"), location.handle)


async def test_another_replica_answers(settings: Settings, vault: Vault):
    location = await vault.results.keep(owner(), content())
    async with Vault.open(settings) as replica:
        replica.results._now = vault.results._now
        assert await replica.results.read(owner(), location.handle) == content()


async def test_a_result_is_read_in_small_pieces(vault: Vault):
    location = await vault.results.keep(owner(), content())
    stored = await vault.results.find(location.handle)
    pieces = [piece async for piece in vault.results.stream(stored, 0, stored.size)]

    assert max(map(len, pieces)) == 64 * 1024
    assert b"".join(pieces) == DATA


async def test_a_result_of_an_older_version_is_read_in_its_own_pieces(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stored_results, "PIECE", 1024 * 1024)
    location = await vault.results.keep(owner(), content())
    identity, key = row_id(location.handle), sealing_key(location.handle)
    described = json.dumps({"mime_type": "application/pdf", "filename": "a report.pdf"}).encode()
    sealed = seal(key, described, identity, "alice", "meta")
    older = update(results).where(results.c.id == identity).values(sealed_meta=sealed)
    await vault._database.write(lambda database: database.execute(older))

    assert await vault.results.read(owner(), location.handle) == content()


async def test_a_result_ends_with_its_time_and_is_erased(vault: Vault, clock: Clock):
    location = await vault.results.keep(owner(), content())
    clock.pass_by(60 * 60)
    with pytest.raises(ExpiredResult):
        await vault.results.read(owner(), location.handle)

    await maintenance.sweep_results(vault._database, clock.now())
    count = text("SELECT count(*) FROM mmcp_result_pieces")
    assert await vault._database.read(lambda database: database.scalar(count)) == 0
    with pytest.raises(ExpiredResult):
        await vault.results.find(location.handle)


async def test_a_result_ends_with_its_connection(vault: Vault):
    issued = await vault.create(SecretStr(KEY))
    location = await vault.results.keep(owner(issued.connection.id), content())
    await vault.revoke(issued.token)

    with pytest.raises(ExpiredResult):
        await vault.results.find(location.handle)


async def test_a_result_and_an_owner_have_so_much_room(vault: Vault, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stored_results, "MOST_OF_ONE_OWNER", 3000)
    handles = [(await vault.results.keep(owner(), content(bytes(1000)))).handle for _ in range(4)]

    with pytest.raises(ExpiredResult):
        await vault.results.find(handles[0])
    for handle in handles[1:]:
        assert (await vault.results.find(handle)).size == 1000
    with pytest.raises(ResultTooLarge):
        await vault.results.keep(owner(), content(bytes(MAX_BYTES + 1)))


async def test_a_stolen_database_shows_nothing_of_a_result(vault: Vault):
    secret = b"the secret of the report " * 100
    location = await vault.results.keep(owner(), content(secret, name="secret-name.pdf"))
    rows: list[object] = []

    def work(database: Any) -> None:
        for table in metadata.tables:
            for row in database.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 - our own names
                rows.extend(row)

    await vault._database.read(work)
    everything = b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in rows)
    for hidden in (b"the secret", b"secret-name", location.handle.encode(), location.handle[3:].encode()):
        assert hidden not in everything


@pytest.fixture
async def link(settings: Settings, mistral_url: str) -> AsyncIterator[str]:
    """The URL of a result, at a replica that did not store it."""
    with_route = Settings.model_validate({**settings.model_dump(), "route": mistral_url})
    async with Vault.open(with_route) as vault, serving(create_app(with_route)) as base:
        location = await vault.results.keep(owner(base=base), content())
        assert location.url
        yield location.url


async def test_a_download_is_whole_once_and_never_inline(link: str):
    async with httpx2.AsyncClient() as http:
        looks = [await http.head(link) for _ in range(3)]
        whole = await http.get(link)
        again = await http.get(link)

    for look in looks:
        assert (look.status_code, look.headers["content-length"], look.content) == (200, str(len(DATA)), b"")
    assert whole.content == DATA
    assert whole.headers["content-type"] == "application/pdf"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-disposition"].startswith('attachment; filename="a report.pdf"')
    assert again.status_code == 410
    assert "no longer kept" in again.json()["error"]["message"]


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=1048570-1048585", 206, slice(1048570, 1048586)),
        ("bytes=2000000-", 206, slice(2_000_000, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=0-99999999", 206, slice(0, None)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        ("lines=1-2", 200, slice(0, None)),
    ],
)
async def test_a_part_is_what_was_requested(link: str, header: str, status: int, part: slice):
    async with httpx2.AsyncClient() as http:
        answer = await http.get(link, headers={"Range": header})

    assert answer.status_code == status
    assert answer.content == DATA[part]
    if status == 206:
        start, stop, _ = part.indices(len(DATA))
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"


async def test_a_part_beyond_the_end_is_416_and_an_unknown_link_404(link: str):
    async with httpx2.AsyncClient() as http:
        assert (await http.get(link, headers={"Range": "bytes=99999999-"})).status_code == 416
        assert (await http.get(link[:-3] + "xyz")).status_code == 404


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/html; charset=utf-8"]
)
async def test_what_a_browser_could_run_is_sent_as_bytes(sqlite_settings: Settings, kind: str):
    async with Vault.open(sqlite_settings) as vault, serving(create_app(sqlite_settings)) as base:
        location = await vault.results.keep(owner(base=base), content(b"<script>", kind, "x.html"))
        async with httpx2.AsyncClient() as http:
            answer = await http.get(str(location.url))

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    json.dumps(dict(answer.headers))
