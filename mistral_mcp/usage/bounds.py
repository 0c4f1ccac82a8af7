"""The most that a call can cost, estimated from its arguments before anything is sent.

A token has at least one byte, and an answer at most the tokens that the call allows; without such a bound, a length that
few answers reach is assumed. The figure is reserved while the call runs, and released when its cost is known. For documents,
recordings, comparisons and batches the tool's own dry run gives it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from mistral_mcp.mistral.catalog import Catalog, UnitPrice
from mistral_mcp.settings import Settings
from mistral_mcp.usage.sums import DOLLAR

FRAME = 24
"""Tokens that a text or message may have beside its own: where it begins and ends, and whose it is."""

_ANSWER = 4096  # tokens of an answer whose length is not bounded
_CONTEXT = 131_072  # tokens, where a model's context is not known
_PAGES = 50  # more than a result shows
_MINUTES = 60
_MILLION = 1_000_000
_VALUES = 50_000  # counted at most: this runs before the arguments' bounds are checked
_ENDLESS = 10 * _MILLION  # bytes, or tokens of an answer: more than any model has
_MODELS = 8


class Needs(NamedTuple):
    """What a call needs of a budget, in ten-billionths of a dollar."""

    reserved: int
    """While it runs: the most that it costs."""
    least: int = 1
    """What must be left for it to start."""


def needs_of_batch(least_usd: float | None) -> Needs:
    """The least that it costs, in dollars, must be left."""
    least = round((least_usd or 0) * DOLLAR)
    return Needs(least, max(least, 1))


@dataclass(frozen=True, slots=True)
class Charge:
    """What the calls of a tool are charged for, as far as their arguments do not tell."""

    setting: Literal["chat_model", "embed_model", "code_model", "moderation_model"] = "chat_model"
    """The setting with the model of a call that names none."""
    model: str | None = None
    """This model in place of a setting's."""
    is_split: bool = False
    """Whether it takes many texts, each of which may fill the model's context."""
    asks_dry_run: bool = False
    """Whether its dry run knows more about the cost than the arguments tell. That of embeddings does not: it counts the
    same bytes.
    """
    is_later: bool = False
    """Whether what it starts is paid for later, when no call is running that could be counted."""

    def needs(self, least_usd: float | None, most_usd: float | None, otherwise: int) -> Needs:
        """From a dry run's figures in dollars; `otherwise` is reserved if it has no upper bound."""
        if self.is_later:
            return needs_of_batch(least_usd)
        if most_usd is None:
            return Needs(otherwise)
        return Needs(round(most_usd * DOLLAR))

    def highest_cost(self, arguments: Mapping[str, object], settings: Settings, catalog: Catalog) -> int:
        """In ten-billionths of a dollar; a model without a known price counts as free.

        In few functions, since it runs once in a call, between much else: each of them has to be fetched from memory.
        """
        if "dry_run" in arguments and is_dry_run(arguments):
            return 0
        several, model, given = arguments.get("models"), arguments.get("model"), arguments.get("max_tokens")
        answer = _ANSWER
        if isinstance(given, int) and given > 0:
            answer = min(given, _ENDLESS)
        if isinstance(several, list):
            models = [name for name in cast("list[object]", several)[:_MODELS] if isinstance(name, str)]
        elif isinstance(model, str) and model:
            models = [model]
        else:
            models = [self.model or getattr(settings, self.setting)]
        size = _count_bytes(arguments)
        cost = 0.0
        for name in models:
            price = catalog.latest_price_of(name)
            if price is None:
                continue
            prompt = size
            if not self.is_split:
                prompt = min(size, price.context or _CONTEXT)
            tokens = prompt * (price.input_usd_per_mtok or 0) + answer * (price.output_usd_per_mtok or 0)
            cost += tokens / _MILLION
            if price.units:
                cost += _cost_of_units(price.units, size)
        return round(cost * DOLLAR)


def _cost_of_units(units: Iterable[UnitPrice], size: int) -> float:
    """In dollars. A price by the minute in addition to one for tokens is for audio in a chat, which is rare."""
    cost = 0.0
    for unit in units:
        match unit.per:
            case "million characters":
                cost = max(cost, size * unit.usd / _MILLION)
            case "minute":
                cost = max(cost, _MINUTES * unit.usd)
            case _:
                cost = max(cost, _PAGES * unit.usd / 1000)
    return cost


def _count_bytes(arguments: Mapping[str, object]) -> int:
    """Bytes of UTF-8 of all strings at any depth, each with its frame; for more values than a call may have, a number larger
    than any context.
    """
    size = 0
    rest = list(arguments.values())
    for _ in range(_VALUES):
        if not rest:
            return size
        value = rest.pop()
        if isinstance(value, str):
            size += FRAME
            if value.isascii():  # a flag of the string: costs nothing
                size += len(value)
            else:
                size += len(value.encode(errors="surrogatepass"))
        elif isinstance(value, dict):
            rest += cast("dict[str, object]", value).values()
        elif isinstance(value, list):
            rest += cast("list[object]", value)
    return _ENDLESS


def is_dry_run(arguments: Mapping[str, object]) -> bool:
    """Whether the call only asks what it would cost. Some models write booleans as text."""
    asked = arguments.get("dry_run")
    return asked is True or (isinstance(asked, str) and asked.lower() == "true")
