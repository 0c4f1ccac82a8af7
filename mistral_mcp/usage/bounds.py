"""The most that a call can cost, estimated from its arguments before anything is sent.

A token has at least one character, and an answer at most the tokens that the call allows; without such a bound, a length that
few answers reach is assumed. The figure is reserved while the call runs, and released when its cost is known.
"""

from collections.abc import Mapping
from typing import cast

from mistral_mcp.mistral.catalog import Catalog, Price
from mistral_mcp.settings import Settings
from mistral_mcp.usage.sums import DOLLAR

_ANSWER = 4096  # tokens of an answer whose length is not bounded
_CONTEXT = 131_072  # tokens, where a model's context is not known
_PAGES = 50  # more than a result shows
_MINUTES = 60
_MILLION = 1_000_000
_VALUES = 50_000  # counted at most: this runs before the arguments' bounds are checked
_ENDLESS = 10 * _MILLION  # characters


def highest_cost(
    tool: str, arguments: Mapping[str, object], takes: Mapping[str, object], settings: Settings, catalog: Catalog
) -> int:
    """In ten-billionths of a dollar. `takes` are the tool's parameters: without `model` or `models` it uses no model."""
    if arguments.get("dry_run"):
        return 0
    if not {"model", "models", "agent_id", "conversation_id"} & takes.keys():
        return 0
    characters = _count_characters(arguments)
    given = arguments.get("max_tokens")
    answer = given if isinstance(given, int) and given > 0 else _ANSWER
    is_split = tool in _SPLIT
    costs = (_cost(catalog, model, characters, answer, is_split) for model in _models(tool, arguments, settings))
    return round(sum(costs) * DOLLAR)


def _cost(catalog: Catalog, model: str, characters: int, answer: int, is_split: bool) -> float:  # noqa: FBT001
    """In dollars; 0 where no price is known."""
    prompt = characters
    if not is_split:
        prompt = min(characters, catalog.context_window(model) or _CONTEXT)
    tokens = catalog.cost_usd(model, prompt_tokens=prompt, completion_tokens=answer)
    if tokens is not None:
        return tokens
    price = catalog.price_of(model)
    if price is None:
        return 0.0
    return _tokens(price, prompt, answer) + _units(price, characters)


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


def _tokens(price: Price, prompt: int, answer: int) -> float:
    cost = prompt * (price.input_usd_per_mtok or 0) + answer * (price.output_usd_per_mtok or 0)
    return cost / _MILLION


def _units(price: Price, characters: int) -> float:
    """A price by the minute in addition to one for tokens is for audio in a chat, which is rare."""
    cost = 0.0
    for unit in price.units:
        match unit.per:
            case "million characters":
                cost = max(cost, characters * unit.usd / _MILLION)
            case "minute":
                cost = max(cost, _MINUTES * unit.usd)
            case _:
                cost = max(cost, _PAGES * unit.usd / 1000)
    return cost


def _count_characters(arguments: Mapping[str, object]) -> int:
    """Characters of all strings at any depth; for more values than a call may have, a number larger than any context."""
    characters = 0
    rest: list[object] = [arguments]
    for _ in range(_VALUES):
        if not rest:
            return characters
        value = rest.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, Mapping):
            rest += cast("Mapping[str, object]", value).values()
        elif isinstance(value, list):
            rest += cast("list[object]", value)
    return _ENDLESS
