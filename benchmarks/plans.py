"""What the load generator is told, and what it tells."""

from pydantic import BaseModel

from benchmarks.wire import Target


class Plan(BaseModel):
    """So many calls by so many callers at once, at these targets in turn."""

    targets: list[Target]
    callers: int
    calls: int
    handshake: list[str] = []
    """Requests before the first call; a session they open is everybody's."""
    first: str = ""
    """What is waited for within a streamed answer: its arrival is timed too."""
    keep: bool = False
    """Give the answers back, one for each target."""
    timeout: float = 60
    """Seconds for one call."""


class Outcome(BaseModel):
    """What came of it. Times are seconds, sorted."""

    seconds: float
    calls: int
    latencies: list[float]
    firsts: list[float]
    errors: dict[str, int]
    """How many calls went wrong, by how."""
    answers: list[str]
    busy: float
    """The generator's own use of a processor: near 1, it was the bottleneck."""

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


def percentile(ordered: list[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))] if ordered else float("nan")
