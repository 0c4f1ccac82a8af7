"""Sums of usage in whole numbers, so that they are exact wherever and in whatever order they are added up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from mistral_mcp.mistral.consumption import Consumption

DOLLAR = 10_000_000_000
"""Units of `Sums.cost` in a dollar: the catalogue's prices have ten decimals."""

_MOST = 10**15  # of one call; a reply could say anything, and a column holds 64 bits


class Key(NamedTuple):
    """The key of sums, within one owner."""

    day: str
    """In UTC, as YYYY-MM-DD."""
    tool: str
    model: str
    """Empty if the call used no model."""


@dataclass(slots=True)
class Sums:
    """What calls used, added up."""

    calls: int = 0
    """Failed ones included."""
    errors: int = 0
    shared_calls: int = 0
    """Calls that used several models, and are counted under another one."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    pages: int = 0
    milliseconds: int = 0
    """Of audio."""
    characters: int = 0
    cost: int = 0
    """In ten-billionths of a dollar; unknown prices count as 0."""

    def add_usage(self, used: Consumption) -> None:
        """Add a call's usage of one model; the call itself is not counted."""
        self.prompt_tokens += _bounded(used.prompt_tokens)
        self.completion_tokens += _bounded(used.completion_tokens)
        self.total_tokens += _bounded(used.total_tokens)
        self.cost += cost_of((used,))
        if used.cached_tokens:
            self.cached_tokens += _bounded(used.cached_tokens)
        if used.pages or used.seconds or used.characters:  # few calls do
            self.pages += _bounded(used.pages)
            self.milliseconds += _bounded(used.seconds * 1000)
            self.characters += _bounded(used.characters)

    def add(self, other: "Sums") -> None:
        for name in NAMES:
            more = getattr(other, name)
            if more:  # most are 0 for one call
                setattr(self, name, getattr(self, name) + more)

    def values(self) -> list[int]:
        """In the order of `NAMES`."""
        return [getattr(self, name) for name in NAMES]

    @property
    def cost_usd(self) -> float:
        return self.cost / DOLLAR


NAMES = tuple(field.name for field in fields(Sums))
"""The sums by name, as tables have them."""


def add_all(sums: Iterable[Sums]) -> Sums:
    total = Sums()
    for each in sums:
        total.add(each)
    return total


def cost_of(by_model: Iterable[Consumption]) -> int:
    """The cost of a call in ten-billionths of a dollar."""
    cost = 0
    for used in by_model:
        if used.cost_usd:
            cost += round(min(max(used.cost_usd * DOLLAR, 0), _MOST))
    return cost


def add_to(rows: dict[Key, Sums], more: Mapping[Key, Sums]) -> None:
    for key, sums in more.items():
        rows.setdefault(key, Sums()).add(sums)


def _bounded(amount: float) -> int:
    if 0 <= amount <= _MOST:
        return round(amount)
    return round(min(max(amount, 0), _MOST))
