"""What models cost and how much they read, as far as Mistral has published it.

The figures lie in `catalog.json`: list prices and context windows from Mistral's documentation of 2026-08-21, with
later price notes up to 2026-10-06, collected on 2026-11-21; every price carries its own date. Launch discounts are not
in it. They are for estimates only: `GET /v1/models` is the authority on which models exist and how long a context is.

An alias is listed where it is known to point. One of a retired model is not: Mistral moves such an alias to a model
with another price, and an unknown price is better than a wrong one.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, TypedDict, cast

Per = Literal["1000 pages", "1000 annotated pages", "minute", "million characters"]


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What is not counted in tokens."""

    usd: float
    per: Per
    side: Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Price:
    """A list price, in US dollars. None where the model has no such price or none is known."""

    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    cached_input_usd_per_mtok: float | None
    other: tuple[UnitPrice, ...]
    date: str
    """The day on which Mistral was seen to ask it, as YYYY-MM-DD."""


def price_of(model: str) -> Price | None:
    """The price of a model, by id or alias; None if it is unknown, as that of a fine-tuned model always is."""
    return _prices().get(_id(model))


def context_window(model: str) -> int | None:
    """Tokens that fit into the model's context, by id or alias; a fine-tuned model has that of its base."""
    base = model.split(":")[1] if model.startswith("ft:") else model
    return _catalog()["models"].get(_id(base), {}).get("context")


def cost_usd(
    model: str,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    cached_tokens: int = 0,
    regional: bool = False,
    batch: bool = False,
    priority: bool = False,
) -> float | None:
    """What a call cost; None if a price that it takes is unknown.

    `cached_tokens` are those of `prompt_tokens` that Mistral had cached. `regional` says that the call was answered by
    a regional endpoint, `batch` and `priority` that it was part of a batch job or used the priority tier.
    """
    price, factors = price_of(model), _catalog()["factors"]
    if price is None:
        return None
    prompt, completion = max(prompt_tokens, 0), max(completion_tokens, 0)
    if (price.input_usd_per_mtok is None and prompt) or (price.output_usd_per_mtok is None and completion):
        return None
    asked = price.input_usd_per_mtok or 0.0
    cached_price = price.cached_input_usd_per_mtok
    if cached_price is None:
        cached_price = asked * factors["cached"]
    cached = min(max(cached_tokens, 0), prompt)
    cost = (prompt - cached) * asked + cached * cached_price + completion * (price.output_usd_per_mtok or 0.0)
    for applies, factor in ((regional, "regional"), (batch, "batch"), (priority, "priority")):
        cost *= factors[factor] if applies else 1
    return round(cost / 1_000_000, 10)


def unit_cost_usd(model: str, amount: float, per: Per, *, regional: bool = False) -> float | None:
    """What so many pages, minutes or characters cost; None if that price is unknown, or tokens are priced beside it."""
    price = price_of(model)
    if price is None or price.input_usd_per_mtok is not None:
        return None
    units = {unit.per: unit.usd / _UNITS[unit.per] for unit in price.other}
    if per not in units:
        return None
    return round(amount * units[per] * (_catalog()["factors"]["regional"] if regional else 1), 10)


_UNITS: dict[Per, int] = {
    "1000 pages": 1_000,
    "1000 annotated pages": 1_000,
    "minute": 1,
    "million characters": 1_000_000,
}


class _PerMtok(TypedDict, total=False):
    input: float
    output: float
    cached_input: float


class _Unit(TypedDict):
    usd: float
    per: Per
    side: Literal["input", "output"]


class _Model(TypedDict, total=False):
    aliases: list[str]
    context: int
    usd_per_mtok: _PerMtok
    other: list[_Unit]
    date: str


class _Catalog(TypedDict):
    source: str
    factors: dict[str, float]
    models: dict[str, _Model]


@cache
def _catalog() -> _Catalog:
    return cast("_Catalog", json.loads(files("mistral_mcp.mistral").joinpath("catalog.json").read_text("utf-8")))


@cache
def _ids() -> dict[str, str]:
    """Every name that is known, and the id it stands for."""
    models = _catalog()["models"]
    aliases = {alias: model for model, row in models.items() for alias in row.get("aliases", ())}
    return {**aliases, **{model: model for model in models}}


def _id(model: str) -> str:
    return _ids().get(model, "")


@cache
def _prices() -> dict[str, Price]:
    prices: dict[str, Price] = {}
    for model, row in _catalog()["models"].items():
        if "date" in row:
            tokens = row.get("usd_per_mtok", {})
            prices[model] = Price(
                input_usd_per_mtok=tokens.get("input"),
                output_usd_per_mtok=tokens.get("output"),
                cached_input_usd_per_mtok=tokens.get("cached_input"),
                other=tuple(UnitPrice(**unit) for unit in row.get("other", ())),
                date=row["date"],
            )
    return prices
