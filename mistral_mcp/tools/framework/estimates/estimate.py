"""The result of a dry run: the lowest and highest cost of a call, and how they were found.

pricing = Pricing.of(mistral, model)
return Estimate.of(
    pricing.part({"pages": Range.exactly(100)}, pricing.by_unit(Range.exactly(100), "1000 pages")),
    basis=["The file holds 100 pages."],
)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from mistral_mcp.mistral.catalog import Catalog, Per
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result


class Range(BaseModel):
    """A minimum and a maximum; null if unknown."""

    min: float | None
    max: float | None

    @classmethod
    def exactly(cls, amount: float) -> "Range":
        return cls(min=amount, max=amount)

    @classmethod
    def unknown(cls) -> "Range":
        return cls(min=None, max=None)

    def __add__(self, other: "Range") -> "Range":
        return Range(min=_sum(self.min, other.min), max=_sum(self.max, other.max))

    def times(self, factor: float) -> "Range":
        return Range(min=_product(self.min, factor), max=_product(self.max, factor))


Units = dict[str, Range]
"""Amounts by unit: pages, minutes, characters, rows, texts, prompt_tokens, completion_tokens."""


class Part(BaseModel):
    """The estimate for one model."""

    model: str
    units: Units
    cost_usd: Range


class Estimate(Result):
    """The result of a dry run. It makes no paid request."""

    dry_run: Literal[True]
    cost_usd: Range
    units: Units = Field(description="pages, minutes, characters, rows, texts or tokens")
    parts: list[Part] = Field(description="by model")
    basis: list[str] = Field(description="how the figures were found")
    unknown: Maybe[list[str]] = Field(default=None, description="what cannot be known beforehand")

    @classmethod
    def of(cls, *parts: Part, basis: Sequence[str], unknown: Sequence[str] = ()) -> "Estimate":
        cost = Range.exactly(0)
        units: Units = {}
        for part in parts:
            cost += part.cost_usd
            units = add_units(units, part.units)
        return cls(
            dry_run=True,
            cost_usd=cost,
            units=units,
            parts=list(parts),
            basis=list(basis),
            unknown=list(unknown) or None,
        )

    def to_text(self) -> str:
        lines = [f"Dry run: no paid request was sent. Cost: {_dollars(self.cost_usd)}."]
        for part in self.parts:
            amounts = [f"{_amount(amount)} {unit.replace('_', ' ')}" for unit, amount in part.units.items()]
            lines.append(f"{part.model}: {', '.join(amounts)}; {_dollars(part.cost_usd)}")
        lines += self.basis
        lines += [f"Not known: {reason}" for reason in self.unknown or ()]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Pricing:
    """A model's prices on this route, in a batch or not."""

    catalog: Catalog
    model: str
    regional: bool
    batch: bool = False

    @classmethod
    def of(cls, mistral: Mistral, model: str, *, batch: bool = False) -> "Pricing":
        return cls(mistral.catalog, model, mistral.caller.route.kind in {"eu", "us"}, batch)

    def by_unit(self, amount: Range, per: Per) -> Range:
        """The cost of an amount of pages, minutes or characters."""
        return Range(min=self._unit_cost(amount.min, per), max=self._unit_cost(amount.max, per))

    def by_token(self, prompt: Range, completion: Range, *, cached: bool = False) -> Range:
        """The cost of tokens. `cached`: for the minimum, the whole prompt may be cached."""
        return Range(
            min=self._token_cost(prompt.min, completion.min, cached=cached),
            max=self._token_cost(prompt.max, completion.max),
        )

    def part(self, units: Units, cost: Range) -> Part:
        return Part(model=self.model, units=units, cost_usd=cost)

    def basis(self) -> str:
        """A sentence that states the prices."""
        price = self.catalog.price_of(self.model)
        if price is None:
            return f"The catalogue has no price of {self.model}."
        figures = [f"${unit.usd:g} per {unit.per}" for unit in price.units]
        if price.output_usd_per_mtok is not None:
            figures.insert(0, f"${price.output_usd_per_mtok:g} per million completion tokens")
        if price.input_usd_per_mtok is not None:
            figures.insert(0, f"${price.input_usd_per_mtok:g} per million prompt tokens")
        return f"List prices of {self.model} on {price.date}: {', '.join(figures)}{self._factors()}."

    def _factors(self) -> str:
        factors = self.catalog.factors
        text = ""
        if self.regional:
            text += f", times {factors.regional:g} on a regional route"
        if self.batch:
            text += f", times {factors.batch:g} in a batch"
        return text

    def _unit_cost(self, amount: float | None, per: Per) -> float | None:
        if amount is None:
            return None
        return self.catalog.unit_cost_usd(self.model, amount, per, regional=self.regional, batch=self.batch)

    def _token_cost(self, prompt: float | None, completion: float | None, *, cached: bool = False) -> float | None:
        if prompt is None or completion is None:
            return None
        return self.catalog.cost_usd(
            self.model,
            prompt_tokens=int(prompt),
            completion_tokens=int(completion),
            cached_tokens=int(prompt) if cached else 0,
            regional=self.regional,
            batch=self.batch,
        )


def add_units(one: Units, other: Units) -> Units:
    """The sums, unit by unit."""
    total = dict(one)
    for unit, amount in other.items():
        total[unit] = total.get(unit, Range.exactly(0)) + amount
    return total


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return None
    return round(one + other, 10)


def _product(amount: float | None, factor: float) -> float | None:
    if amount is None:
        return None
    return amount * factor


def _dollars(cost: Range) -> str:
    if cost.min is None and cost.max is None:
        return "unknown"
    if cost.min == cost.max:
        return f"${cost.min:.6g}"
    if cost.min is None:
        return f"at most ${cost.max:.6g}"
    if cost.max is None:
        return f"at least ${cost.min:.6g}, the most is unknown"
    return f"at least ${cost.min:.6g}, at most ${cost.max:.6g}"


def _amount(amount: Range) -> str:
    if amount.max is None:
        return f"at least {amount.min or 0:,g}"
    if amount.min == amount.max:
        return f"{amount.min:,g}"
    return f"{amount.min or 0:,g} to {amount.max:,g}"
