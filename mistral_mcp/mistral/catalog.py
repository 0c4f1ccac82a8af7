"""Prices and context windows of models, as far as Mistral has published them.

The figures are in `catalog.json`: dated prices in US dollars per million tokens, 1,000 pages, minute or million
characters, and context windows. They are for estimates only: `GET /v1/models` is the authority on which models exist,
what their aliases are and how long a context is. A file of the same shape, the setting `CATALOG`, overrides ours.

    catalog = Catalog.load(settings.catalog)
    catalog.cost_usd("mistral-small-latest", prompt_tokens=1000, completion_tokens=200)
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from cachetools import LRUCache
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mistral_mcp.errors import BadSetting

Per = Literal["1000 pages", "1000 annotated pages", "minute", "million characters"]
Date = dt.date

_LEARNT = 2000  # aliases
_NAME = 100  # characters of one
_MILLION = 1_000_000
_DAY = 86_400  # seconds


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Prices(_Strict):
    """Prices since a day; None if a model has no such price, or it is unknown."""

    since: Date | None = Field(default=None, alias="from")
    """None: unknown."""
    read: Date | None = None
    """When they were read, if earlier than the rest of the catalogue."""
    input: float | None = Field(default=None, ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    output: float | None = Field(default=None, ge=0)
    page: float | None = Field(default=None, ge=0)
    annotated_page: float | None = Field(default=None, ge=0)
    minute: float | None = Field(default=None, ge=0)
    character: float | None = Field(default=None, ge=0)


class Entry(_Strict):
    """A model, or an alias with the history of what it pointed to."""

    alias_of: str | None = None
    context: int | None = Field(default=None, gt=0)
    ends: Date | None = None
    prices: list[Prices] = []


class Factors(_Strict):
    """Factors on list prices."""

    cached_input: float = Field(default=0.1, ge=0)
    regional: float = Field(default=1.1, ge=0)
    batch: float = Field(default=0.5, ge=0)
    priority: float = Field(default=1.75, ge=0)


class PriceFile(_Strict):
    """The content of a price file."""

    date: Date
    """When its prices were read."""
    source: str = ""
    factors: Factors = Factors()
    models: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """A price by a unit other than tokens."""

    usd: float
    per: Per


@dataclass(frozen=True, slots=True)
class Price:
    """A list price, in US dollars. None where the model has no such price or none is known."""

    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    cached_input_usd_per_mtok: float | None
    units: tuple[UnitPrice, ...]
    date: str
    """The day on which it was read, as YYYY-MM-DD."""
    context: int | None
    """Tokens that fit into the model's context."""


class _Current(NamedTuple):
    """A model's prices as of today: as the file has them, and as a list price."""

    prices: Prices
    price: Price


def _today() -> Date:
    """In UTC."""
    return _date_of(int(time.time()) // _DAY)


@lru_cache(maxsize=1)  # each price asks for it, and it changes once a day
def _date_of(days: int) -> Date:
    """The date so many days after the beginning of 1970."""
    return Date(1970, 1, 1) + dt.timedelta(days)


class Catalog:
    """Prices and context windows by name; aliases of Mistral's own list take precedence over ours."""

    def __init__(self, prices: PriceFile, today: Callable[[], Date] = _today) -> None:
        self.date = prices.date
        self.factors = prices.factors
        self._prices = prices
        self._today = today
        self._learnt: LRUCache[str, str] = LRUCache(_LEARNT)
        self._day = Date.min
        self._current: dict[str, _Current] = {}
        """Models as of `_day`, by id or alias: of names that are published or learnt, which are bounded."""

    @classmethod
    def load(cls, override: Path | None = None) -> "Catalog":
        """Ours, with entries of another file replacing those of the same name. Raises `BadSetting`."""
        ours = PriceFile.model_validate_json(Path(__file__).with_name("catalog.json").read_bytes())
        if override is None:
            return cls(ours)
        try:
            theirs = PriceFile.model_validate_json(override.read_bytes())
        except OSError:
            raise BadSetting("MISTRAL_MCP_CATALOG cannot be used: the file cannot be read.") from None
        except ValidationError as error:
            problem = error.errors(include_input=False, include_context=False, include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            raise BadSetting(f"MISTRAL_MCP_CATALOG cannot be used: {place or 'it'}: {problem['msg']}.") from None
        entries = {name: _with_read(entry, theirs.date) for name, entry in theirs.models.items()}
        return cls(ours.model_copy(update={"models": ours.models | entries, "factors": theirs.factors}))

    def learn_aliases(self, groups: Iterable[Sequence[str]]) -> None:
        """Remember which names are one model; each group as Mistral lists it, its id first."""
        self._current.clear()
        for names in groups:
            known = [name for name in names if self._is_model(name)]
            if known:
                model = known[0]
            else:
                model = names[0]
            for name in names:
                if len(name) <= _NAME:
                    self._learnt[name] = model

    def is_published(self, name: str) -> bool:
        """Whether the file of prices has this name, of a model or an alias: a closed set, without users' own models."""
        return name in self._prices.models

    def price_of(self, model: str) -> Price | None:
        """The price of a model, by id or alias; None if it is unknown, as that of a fine-tuned model always is."""
        found = self._find(model)
        if found is None:
            return None
        return found.price

    def latest_price_of(self, model: str) -> Price | None:
        """The same, but of the day of the latest call that asked; cheaper, for what need not be exact."""
        found = self._current.get(model)
        if found is None:
            return self.price_of(model)
        return found.price

    def context_window(self, model: str) -> int | None:
        """Tokens that fit into the model's context, by id or alias; a fine-tuned model has that of its base."""
        if model.startswith("ft:"):
            base = model.split(":")[1]
        else:
            base = model
        entry = self._prices.models.get(self._learnt.get(base, base))
        if entry:
            return entry.context
        return None

    def cost_usd(
        self,
        model: str,
        *,
        prompt_tokens: int,
        completion_tokens: int,
        cached_tokens: int = 0,
        audio_seconds: float = 0,
        regional: bool = False,
        batch: bool = False,
        priority: bool = False,
    ) -> float | None:
        """What a call cost; None if a price that it takes is unknown.

        `cached_tokens` are those of `prompt_tokens` that Mistral had cached; `audio_seconds` are priced in addition
        to the tokens. `regional` says that the call was answered by a regional endpoint, `batch` and `priority` that it was
        part of a batch job or used the priority tier.
        """
        found = self._prices_of(model)
        if found is None:
            return None
        prompt, completion, seconds = max(prompt_tokens, 0), max(completion_tokens, 0), max(audio_seconds, 0)
        if prompt and found.input is None:
            return None
        if completion and found.output is None:
            return None
        if seconds and found.minute is None:
            return None
        cached = min(max(cached_tokens, 0), prompt)
        tokens = (prompt - cached) * (found.input or 0)
        if cached:
            tokens += cached * self._cached_price(found)
        tokens += completion * (found.output or 0)
        cost = tokens / _MILLION + seconds / 60 * (found.minute or 0)
        if regional:
            cost *= self.factors.regional
        if batch:
            cost *= self.factors.batch
        if priority:
            cost *= self.factors.priority
        return round(cost, 10)

    def unit_cost_usd(
        self, model: str, amount: float, per: Per, *, regional: bool = False, batch: bool = False
    ) -> float | None:
        """What so many pages, minutes or characters cost; None if that price is unknown, or the model also has token prices."""
        price = self.price_of(model)
        if price is None or price.input_usd_per_mtok is not None:
            return None
        usd = next((unit.usd for unit in price.units if unit.per == per), None)
        if usd is None:
            return None
        cost = amount * usd / _UNITS[per]
        cost *= self.factors.regional if regional else 1
        return round(cost * (self.factors.batch if batch else 1), 10)

    def _is_model(self, name: str) -> bool:
        entry = self._prices.models.get(name)
        return entry is not None and entry.alias_of is None

    def _prices_of(self, model: str) -> Prices | None:
        found = self._find(model)
        if found is None:
            return None
        return found.prices

    def _find(self, model: str) -> "_Current | None":
        """A model with its prices as of today, worked out once a day; None if it has no prices."""
        today = self._today()
        if today != self._day:
            self._day = today
            self._current.clear()
        found = self._current.get(model)
        if found is None:
            entry = self._prices.models.get(self._learnt.get(model, model))
            if entry is None or not entry.prices:
                return None
            prices = self._as_of(today, entry)
            found = self._current[model] = _Current(prices, self._list_price(prices, entry.context))
        return found

    def _list_price(self, found: Prices, context: int | None) -> Price:
        units: tuple[tuple[Per, float | None], ...] = (
            ("1000 pages", found.page),
            ("1000 annotated pages", found.annotated_page),
            ("minute", found.minute),
            ("million characters", found.character),
        )
        return Price(
            input_usd_per_mtok=found.input,
            output_usd_per_mtok=found.output,
            cached_input_usd_per_mtok=found.cached_input,
            units=tuple(UnitPrice(usd, per) for per, usd in units if usd is not None),
            date=(found.read or self._prices.date).isoformat(),
            context=context,
        )

    @staticmethod
    def _as_of(today: Date, entry: Entry) -> Prices:
        """The current prices: of each kind the latest that has begun, or the first one known."""
        periods = sorted(entry.prices, key=lambda period: period.since or Date.min)
        current = [period for period in periods if period.since is None or period.since <= today]
        found: dict[str, object] = {}
        for period in current or periods[:1]:
            found |= period.model_dump(exclude_none=True, by_alias=True)
        return Prices.model_validate(found)

    def _cached_price(self, found: Prices) -> float:
        if found.cached_input is not None:
            return found.cached_input
        return (found.input or 0) * self.factors.cached_input


_UNITS: dict[Per, int] = {
    "1000 pages": 1_000,
    "1000 annotated pages": 1_000,
    "minute": 1,
    "million characters": _MILLION,
}


def _with_read(entry: Entry, read: Date) -> Entry:
    dated = [period.model_copy(update={"read": period.read or read}) for period in entry.prices]
    return entry.model_copy(update={"prices": dated})
