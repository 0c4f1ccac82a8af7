"""What a caller read a moment ago: for that caller alone, and never more than there is room for."""

from dataclasses import dataclass

from pydantic import SecretStr

from mistral_mcp.mistral.recent_reads import RecentReads
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route


@dataclass(frozen=True)
class Page:
    size: int


@dataclass(frozen=True)
class Other:
    size: int = 1


def caller(key: str, route: str = "direct") -> Caller:
    return Caller.of(SecretStr(key), "a test", Route.parse(route), None)


MINE = caller("m" * 32)


def test_nobody_finds_what_another_caller_read() -> None:
    reads = RecentReads()
    reads.keep(MINE, "job", Page(10))

    assert reads.find(caller("m" * 32), "job", Page) == Page(10)
    for other in (caller("o" * 32), caller("m" * 32, "eu")):
        assert reads.find(other, "job", Page) is None
    assert reads.find(MINE, "another job", Page) is None
    assert reads.find(MINE, "job", Other) is None


def test_the_least_recently_used_goes_first_and_what_is_too_large_is_not_kept() -> None:
    reads = RecentReads(most_bytes=10)
    reads.keep(MINE, "first", Page(4))
    reads.keep(MINE, "second", Page(4))
    reads.find(MINE, "first", Page)

    reads.keep(MINE, "third", Page(4))
    reads.keep(MINE, "huge", Page(11))

    names = ("first", "second", "third", "huge")
    assert [name for name in names if reads.find(MINE, name, Page)] == ["first", "third"]


def test_it_is_forgotten_after_five_minutes() -> None:
    seconds = [0.0]
    reads = RecentReads(clock=lambda: seconds[0])
    reads.keep(MINE, "job", Page(1))
    seconds[0] = 301.0

    assert reads.find(MINE, "job", Page) is None
