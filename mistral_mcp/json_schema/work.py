"""A budget of steps that bounds every check."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

STEPS = 100_000  # of a check; half a second
STEP = 5e-6  # seconds, about


class TooMuchWork(Exception):
    """The steps of a check are used up."""


@dataclass
class Check:
    """A running check."""

    left: int
    weight: int = 1
    nested: int = 0
    outcomes: dict[tuple[int, int], list[Any]] = field(default_factory=dict[tuple[int, int], list[Any]])
    """Errors found behind a reference, by the ids of its schema and of the value, both of which outlive this."""
    patterns: dict[str, Any] = field(default_factory=dict[str, Any])

    def spend(self, steps: int) -> None:
        self.left -= steps * self.weight
        if self.left < 0:
            raise TooMuchWork


# The library creates validators for every subschema, so they cannot hold it.
current_check = ContextVar[Check]("current_check")
