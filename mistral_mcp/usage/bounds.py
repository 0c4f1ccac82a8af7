"""The most that a call can cost, estimated from its arguments before anything is sent.

A token has at least one byte, and an answer at most the tokens that the call allows; without such a bound, a length that
few answers reach is assumed. The figure is reserved while the call runs, and released when its cost is known. For documents,
recordings, comparisons and batches the tool's own dry run gives it.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from mistral_mcp.mistral.catalog import Catalog, Price
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

_ESTIMATED = frozenset(
    {
        "mistral_ocr",
        "mistral_transcribe",
        "mistral_speak",
        "mistral_compare",
    }
)
_NAMES_A_MODEL = frozenset({"model", "models", "agent_id", "conversation_id"})
"""Parameters of tools that use one."""
_RUNS_LATER = frozenset({"mistral_create_batch_job"})
"""What they start is paid for later, when no call is running that could be counted."""


class Needs(NamedTuple):
    """What a call needs of a budget, in ten-billionths of a dollar."""

    reserved: int
    """While it runs: the most that it costs."""
    least: int = 1
    """What must be left for it to start."""


def has_dry_run(tool: str, arguments: Mapping[str, object]) -> bool:
    """Whether this call's dry run knows more about its cost than its arguments tell.

    That of embeddings does not: it counts the same bytes.
    """
    if tool in _ESTIMATED or tool in _RUNS_LATER:
        return not _is_dry_run(arguments)
    return False


def needs_of(
    tool: str,
    least_usd: float | None,
    most_usd: float | None,
    otherwise: int,
) -> Needs:
    """From a dry run's figures in dollars; `otherwise` is reserved if it has no upper bound."""
    if tool in _RUNS_LATER:
        return needs_of_batch(least_usd)
    if most_usd is None:
        return Needs(otherwise)
    return Needs(round(most_usd * DOLLAR))


def needs_of_batch(least_usd: float | None) -> Needs:
    """The least that it costs, in dollars, must be left."""
    least = round((least_usd or 0) * DOLLAR)
    return Needs(least, max(least, 1))


def highest_cost(
    tool: str,
    arguments: Mapping[str, object],
    takes: Mapping[str, object],
    settings: Settings,
    catalog: Catalog,
) -> int:
    """In ten-billionths of a dollar. `takes` are the tool's parameters: without `model` or `models` it uses no model."""
    if _is_dry_run(arguments):
        return 0
    body = arguments.get("body")
    if isinstance(body, dict):  # of an operation of Mistral's API
        arguments = takes = cast("Mapping[str, object]", body)
    if takes.keys().isdisjoint(_NAMES_A_MODEL):
        return 0
    size = _count_bytes(arguments)
    given = arguments.get("max_tokens")
    answer = _ANSWER
    if isinstance(given, int) and given > 0:
        answer = min(given, _ENDLESS)
    is_split = tool in _SPLIT
    cost = 0.0
    for model in _models(tool, arguments, settings):
        cost += _cost(catalog, model, size, answer, is_split)
    return round(cost * DOLLAR)


def _cost(catalog: Catalog, model: str, size: int, answer: int, is_split: bool) -> float:  # noqa: FBT001
    """In dollars; 0 where no price is known."""
    rates = catalog.token_rates(model)
    if rates is None:
        return _cost_in_units(catalog, model, size, answer, is_split)
    context, input_price, output_price = rates
    if not is_split:
        size = min(size, context or _CONTEXT)
    return (size * input_price + answer * output_price) / _MILLION


def _cost_in_units(catalog: Catalog, model: str, size: int, answer: int, is_split: bool) -> float:  # noqa: FBT001
    """Of a model without token prices, or with only one."""
    price = catalog.price_of(model)
    if price is None:
        return 0.0
    prompt = size
    if not is_split:
        prompt = min(size, catalog.context_window(model) or _CONTEXT)
    tokens = prompt * (price.input_usd_per_mtok or 0) + answer * (price.output_usd_per_mtok or 0)
    return tokens / _MILLION + _units(price, size)


def _models(tool: str, arguments: Mapping[str, object], settings: Settings) -> list[str]:
    several, one = arguments.get("models"), arguments.get("model")
    if isinstance(several, list):
        return [name for name in cast("list[object]", several)[:8] if isinstance(name, str)]
    if isinstance(one, str) and one:
        return [one]
    return [DEFAULTS.get(tool) or getattr(settings, _SETTINGS.get(tool, "chat_model"))]


_SETTINGS = {
    "mistral_embed": "embed_model",
    "mistral_rank": "embed_model",
    "mistral_code_complete": "code_model",
    "mistral_moderate": "moderation_model",
}
_SPLIT = {"mistral_embed", "mistral_rank", "mistral_moderate", "mistral_classify"}
"""Tools for many texts, each of which may fill the model's context."""
DEFAULTS = {
    "mistral_ocr": "mistral-ocr-latest",
    "mistral_transcribe": "voxtral-mini-transcribe-latest",
    "mistral_speak": "voxtral-mini-tts-latest",
}


def _units(price: Price, size: int) -> float:
    """A price by the minute in addition to one for tokens is for audio in a chat, which is rare."""
    cost = 0.0
    for unit in price.units:
        match unit.per:
            case "million characters":
                cost = max(cost, size * unit.usd / _MILLION)
            case "minute":
                cost = max(cost, _MINUTES * unit.usd)
            case _:
                cost = max(cost, _PAGES * unit.usd / 1000)
    return cost


def _count_bytes(arguments: Mapping[str, object]) -> int:
    """Bytes of all strings at any depth, each with its frame; for more values than a call may have, a number larger than any
    context.
    """
    size = 0
    rest = list(arguments.values())
    for _ in range(_VALUES):
        if not rest:
            return size
        value = rest.pop()
        if isinstance(value, str):
            size += _size(value) + FRAME
        elif isinstance(value, dict):
            rest += cast("dict[str, object]", value).values()
        elif isinstance(value, list):
            rest += cast("list[object]", value)
    return _ENDLESS


def _size(text: str) -> int:
    """In bytes of UTF-8."""
    if text.isascii():  # a flag of the string: costs nothing
        return len(text)
    return len(text.encode(errors="surrogatepass"))


def _is_dry_run(arguments: Mapping[str, object]) -> bool:
    """Some models write booleans as text."""
    asked = arguments.get("dry_run")
    return asked is True or (isinstance(asked, str) and asked.lower() == "true")
