"""Results that are too long or too binary for a context, in each home."""

import time
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import ExpiredResult, ResultTooLarge, UnknownResult
from mistral_mcp.kept_results import MAX_BYTES, Content, FolderStore, MemoryStore, Owner, ResultStore
from mistral_mcp.masking import Mask
from mistral_mcp.tools.framework.kept import KeptResults

ALICE = Owner(Credentials(SecretStr("alice-key-1234"), "test"), "https://host.example")
BOB = Owner(Credentials(SecretStr("bob-key-12345"), "test"))
TEXT = Content("Grüße".encode(), "text/plain", "a b/../c.txt")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> ResultStore:
    clock.now = time.time()
    if request.param == "memory":
        return MemoryStore(60, downloads=True, clock=clock)
    return FolderStore(tmp_path / "results", 60, clock=clock)


async def test_what_was_kept_is_read_whole(store: ResultStore) -> None:
    location = await store.keep(ALICE, TEXT)

    content = await store.read(ALICE, location.handle)
    assert content.data == TEXT.data
    assert content.mime_type == "text/plain"
    assert (await store.download(location.handle)).data == TEXT.data


async def test_after_its_time_it_is_gone(store: ResultStore, clock: Clock) -> None:
    location = await store.keep(ALICE, TEXT)
    clock.now += 61

    with pytest.raises((UnknownResult, ExpiredResult)):
        await store.read(ALICE, location.handle)


@pytest.mark.parametrize(
    "handle", ["", "kr_" + "x" * 32, "../../etc/passwd", "kr_*", "kr_" + "*" * 32, "x" * 100_000]
)
async def test_a_handle_that_was_never_given_is_unknown(store: ResultStore, handle: str) -> None:
    await store.keep(ALICE, TEXT)

    with pytest.raises(UnknownResult):
        await store.read(ALICE, handle)


async def test_more_than_fits_is_refused(store: ResultStore) -> None:
    with pytest.raises(ResultTooLarge):
        await store.keep(ALICE, Content(bytes(MAX_BYTES + 1), "application/octet-stream", "zeros"))


async def test_another_callers_handle_is_unknown() -> None:
    store = MemoryStore(60)
    location = await store.keep(ALICE, TEXT)

    with pytest.raises(UnknownResult):
        await store.read(BOB, location.handle)


async def test_memory_is_bounded_for_all_and_the_oldest_go_first() -> None:
    store = MemoryStore(60)
    first = await store.keep(ALICE, Content(bytes(MAX_BYTES // 2), "application/octet-stream", "a"))
    second = await store.keep(BOB, Content(bytes(MAX_BYTES // 2 - 10), "application/octet-stream", "b"))
    third = await store.keep(ALICE, Content(bytes(MAX_BYTES // 4), "application/octet-stream", "c"))

    with pytest.raises(UnknownResult):
        await store.read(ALICE, first.handle)
    await store.read(BOB, second.handle)
    await store.read(ALICE, third.handle)


async def test_a_url_is_given_only_where_the_server_answers_it() -> None:
    assert (await MemoryStore(60).keep(ALICE, TEXT)).url is None
    with_url = await MemoryStore(60, downloads=True).keep(ALICE, TEXT)

    assert with_url.url == f"https://host.example/results/{with_url.handle}"


def test_a_file_is_the_users_alone_and_stays_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    location = anyio.run(FolderStore(folder, None).keep, ALICE, TEXT)
    path = Path(location.path or "")

    assert path.parent == folder
    assert path.read_bytes() == TEXT.data
    assert path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert location.expires_at is None


def test_expired_files_are_removed_and_no_others(tmp_path: Path, clock: Clock) -> None:
    clock.now = time.time()
    (tmp_path / "mine.txt").write_text("mine")
    store = FolderStore(tmp_path, 60, clock=clock)
    anyio.run(store.keep, ALICE, TEXT)
    clock.now += 61
    anyio.run(store.keep, ALICE, TEXT)

    assert len(list(tmp_path.glob("kr_*"))) == 1
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
async def test_no_secret_of_the_callers_is_kept(encoding: str) -> None:
    kept_results = KeptResults(MemoryStore(60), ALICE, Mask(["alice-key-1234"]))
    data = b"\x00\xff" + "key: alice-key-1234!".encode(encoding)
    kept = await kept_results.keep(data, mime_type="application/pdf", filename="a.pdf")
    content = await kept_results.read(kept.handle)

    assert "alice-key-1234".encode(encoding) not in content.data
    assert len(content.data) == len(data)


async def test_of_a_long_text_the_beginning_is_shown_and_where_to_read_on() -> None:
    kept_results = KeptResults(MemoryStore(60), ALICE, Mask([]))
    short, nothing = await kept_results.keep_if_long("short", filename="a.txt")
    text, kept = await kept_results.keep_if_long("word " * 10_000, filename="a.txt")

    assert (short, nothing) == ("short", None)
    assert kept is not None
    assert len(text) == 40_000
    assert kept.characters == 50_000
    assert f"handle {kept.handle}, offset 40000" in kept.note(len(text))
