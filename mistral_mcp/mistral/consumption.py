"""Adds up the usage of one tool call's replies, and its cost by the dated catalogue.

    meter = Meter(catalog, regional=False)
    meter.add_units("mistral-ocr-latest", 12, "1000 pages")
    meter.total.cost_usd

Each class of call measures its replies in `Call.measure`; `client` calls it for every reply, so that usage is counted even if
the tool fails afterwards.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

from mistral_mcp.mistral.catalog import Catalog, Per

_PLACES = 10  # decimals of a dollar, as in the catalogue


class Consumption(NamedTuple):
    """The usage of one model. A tuple, since one is made for every call: a frozen dataclass takes three times as long."""

    model: str = ""
    """As Mistral named it, else as it was requested."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    """A part of `prompt_tokens`."""
    pages: int = 0
    seconds: float = 0.0
    """Of audio."""
    characters: int = 0
    """Spoken."""
    cost_usd: float | None = 0.0
    """None if a price is unknown."""

    def plus(self, other: "Consumption") -> "Consumption":
        """The sum, under the first model's name."""
        return Consumption(
            self.model,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            pages=self.pages + other.pages,
            seconds=self.seconds + other.seconds,
            characters=self.characters + other.characters,
            cost_usd=_sum(self.cost_usd, other.cost_usd),
        )


NOTHING = Consumption()


def add_all(used: Sequence[Consumption]) -> Consumption:
    """The usage of all models together."""
    if len(used) == 1:
        return used[0]
    return reduce(Consumption.plus, used, NOTHING)


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return None
    return round(one + other, _PLACES)


class Meter:
    """Adds up one tool call, by model."""

    def __init__(self, catalog: Callable[[], Catalog], *, regional: bool) -> None:
        """`catalog` loads the catalogue on first use: many processes never need it."""
        self.regional = regional
        """Whether the prices are those of a regional endpoint."""
        self._catalog = catalog
        self._used: dict[str, Consumption] = {}
        self._latest: tuple[object, Consumption] | None = None

    @property
    def catalog(self) -> Catalog:
        return self._catalog()

    @property
    def used(self) -> tuple[Consumption, ...]:
        """One for each model, in the order of their first use."""
        return tuple(self._used.values())

    @property
    def total(self) -> Consumption:
        """The usage of all models together."""
        return add_all(self.used)

    def add(self, consumption: Consumption, reply: object = None) -> None:
        """Add usage whose cost is known. `reply`: what it was computed from, for `of_reply`."""
        self._latest = reply, consumption
        known = self._used.get(consumption.model)
        if known is None:
            self._used[consumption.model] = consumption
        else:
            self._used[consumption.model] = known.plus(consumption)

    def of_reply(self, reply: object) -> Consumption | None:
        """The consumption that was added for this reply; None if another was added since."""
        if self._latest is None or self._latest[0] is not reply:
            return None
        return self._latest[1]

    def add_units(self, model: str, amount: float, per: Per) -> None:
        """Add pages, minutes or characters, and their cost."""
        cost = self.catalog.unit_cost_usd(model, amount, per, regional=self.regional)
        match per:
            case "minute":
                self.add(Consumption(model, seconds=amount * 60, cost_usd=cost))
            case "million characters":
                self.add(Consumption(model, characters=round(amount), cost_usd=cost))
            case _:
                self.add(Consumption(model, pages=round(amount), cost_usd=cost))
