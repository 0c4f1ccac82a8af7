"""The input and output of the load generator."""

from pydantic import BaseModel

from benchmarks.wire import Target


class Plan(BaseModel):
    """`calls` calls by `callers` concurrent callers, to the targets in turn."""

    targets: list[Target]
    callers: int
    calls: int
    handshake: list[str] = []
    """Requests before the first call; all callers share the session that they open."""
    first: str = ""
    """A text in a streamed answer whose arrival is measured too."""
    keep: bool = False
    """Whether to return the answers, one for each target."""
    timeout: float = 60
    """Seconds for one call."""


class Outcome(BaseModel):
    """The result of a plan. Times are in seconds, sorted."""

    seconds: float
    calls: int
    latencies: list[float]
    firsts: list[float]
    errors: dict[str, int]
    """How many calls failed, by error."""
    answers: list[str]
    busy: float
    """The generator's CPU time divided by the elapsed time: near 1, the generator was the bottleneck."""

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds

    @property
    def error_count(self) -> int:
        return sum(self.errors.values())


def percentile(ordered: list[float], percent: float) -> float:
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))]
