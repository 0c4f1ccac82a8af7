"""Bounds of a text's tokens without a tokenizer, valid for all of Mistral's.

A token has at least one byte of UTF-8 and never spans two words, so there are at least as many tokens as words, and at most
as many as bytes.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import cast

import anyio.lowlevel
from pydantic import JsonValue

from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.tools.framework.estimates.estimate import Estimate, Part, Pricing, Range, Units
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.usage.bounds import FRAME

BASIS = "A text has at least as many tokens as words and at most as many as bytes; no tokenizer was used."
COMPLETIONS = "An answer has at most max_tokens, or what the model's context leaves: set it to bound the cost."
PRIORITY = "whether this key has the priority tier, which costs more"

_SLICE = 64 * 1024  # characters counted together
_TEXT_CHUNKS = frozenset({"text", "thinking", "reference"})
_DEPTH = 20


async def count_tokens(texts: Iterable[str], *, control: int = FRAME) -> Range:
    """Bounds for texts, each with its control tokens."""
    least = most = 0
    for text in texts:
        for start in range(0, len(text), _SLICE):
            piece = text[start : start + _SLICE]
            # A slice may end within a word.
            least += max(len(piece.split()) - bool(start), 0)
            most += len(piece.encode(errors="surrogatepass"))
            await anyio.lowlevel.checkpoint()
        most += control
    return Range(min=least, max=most)


async def count_prompt(body: JsonValue) -> Range:
    """Bounds for a chat's body: at least its texts, at most all of its JSON."""
    words = await count_tokens(_texts(body))
    whole = json.dumps(body, ensure_ascii=False)
    bytes_and_frames = await count_tokens([whole], control=FRAME * (1 + _messages(body)))
    return Range(min=words.min, max=bytes_and_frames.max)


def holds_files(messages: JsonValue) -> bool:
    """Whether a chat's messages hold images, audio or documents, whose tokens cannot be counted."""
    if not isinstance(messages, list):
        return False
    kinds = chain.from_iterable(map(_chunk_types, messages))
    return any(kind not in _TEXT_CHUNKS for kind in kinds)


def completion_of(catalog: Catalog, model: str, prompt: Range, max_tokens: JsonValue, choices: JsonValue) -> Range:
    """Bounds of an answer: `max_tokens`, or what the context leaves."""
    window = catalog.context_window(model)
    if isinstance(max_tokens, int):
        most = max_tokens
    elif window is not None:
        most = max(window - int(prompt.min or 0), 0)
    else:
        return Range(min=1, max=None)
    if isinstance(choices, int):
        most *= max(choices, 1)
    return Range(min=min(1, most), max=most)


def within_context(catalog: Catalog, model: str, prompt: Range, *, with_files: bool) -> Range:
    """Limit the prompt to the model's context; with files that is the only known bound."""
    window = catalog.context_window(model)
    if with_files:
        return Range(min=prompt.min, max=window)
    if window is None or prompt.max is None:
        return prompt
    return Range(min=min(prompt.min or 0, window), max=min(prompt.max, window))


async def estimate_texts(pricing: Pricing, texts: list[str]) -> Estimate:
    """The cost of embedding these texts."""
    tokens = await count_tokens(texts)
    units: Units = {"texts": Range.exactly(len(texts)), "prompt_tokens": tokens}
    cost = pricing.by_token(tokens, Range.exactly(0))
    return Estimate.of(pricing.part(units, cost), basis=[BASIS, pricing.basis()])


async def estimate_chats(mistral: Mistral, calls: list[ChatCall]) -> Estimate:
    """The cost of these chats, if all are answered."""
    parts: list[Part] = []
    basis = [BASIS, COMPLETIONS]
    for call in calls:
        pricing = Pricing.of(mistral, call.model)
        prompt, completion, cost = await estimate_chat(
            pricing, call.model_dump(mode="json", exclude_none=True, by_alias=True)
        )
        parts.append(pricing.part({"prompt_tokens": prompt, "completion_tokens": completion}, cost))
        basis.append(pricing.basis())
    return Estimate.of(*parts, basis=basis, unknown=[PRIORITY])


async def estimate_chat(pricing: Pricing, body: dict[str, JsonValue]) -> tuple[Range, Range, Range]:
    """The prompt tokens, completion tokens and cost of a chat's body."""
    catalog, model = pricing.catalog, pricing.model
    counted = {
        name: body[name] for name in ("messages", "tools", "response_format", "prompt", "suffix") if name in body
    }
    prompt = await count_prompt(counted)
    prompt = within_context(catalog, model, prompt, with_files=holds_files(body.get("messages")))
    completion = completion_of(catalog, model, prompt, body.get("max_tokens"), body.get("n"))
    cost = pricing.by_token(prompt, completion, cached=True)
    return prompt, completion, cost


def _texts(value: JsonValue, depth: int = 0) -> Iterator[str]:
    """The texts of messages. Ids, roles and the like need not be counted."""
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        for name in ("messages", "content", "text", "prompt", "suffix"):
            member = value.get(name)
            if isinstance(member, str):
                yield member
            else:
                yield from _texts(member, depth + 1)


def _messages(body: JsonValue) -> int:
    if not isinstance(body, dict):
        return 0
    messages = body.get("messages")
    if isinstance(messages, list):
        return len(messages)
    return 1


def _chunk_types(message: JsonValue) -> Iterator[JsonValue]:
    if not isinstance(message, dict):
        return
    content = message.get("content")
    if isinstance(content, list):
        for chunk in cast("list[dict[str, JsonValue]]", content):
            yield chunk.get("type", "text")
