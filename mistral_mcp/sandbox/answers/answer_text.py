"""What the sandbox says in place of a model: that it is one, and what it heard."""

import re
from collections.abc import Sequence
from itertools import takewhile

from mistral_mcp.sandbox.protocol.messages import Message, ToolMessage, text_of
from mistral_mcp.sandbox.protocol.rules import images_of

LENGTHY = re.compile(
    r"\b(?:article|count|describe|detail|essay|explain|haiku|list|long|poem|stor(?:y|ies)|summar|translate|write)",
    re.IGNORECASE,
)
MORE = (
    " You asked for something that takes a few sentences, so here are some, which is enough to watch a stream arrive."
    " Nothing in them was thought up by a model: the sandbox answers from fixed rules, and gives the same answer every"
    " time. First comes what you said, then this remark, and then a short list of three.\n\n"
    "1. The wind comes over the hills.\n2. The river carries the leaves away.\n3. The sandbox stays where it is.\n\n"
    "That is all there is to say about it."
)
QUOTABLE = 2000
"""Characters repeated of what was said."""


def answer_text(model: str, messages: Sequence[Message], said: str) -> str:
    """An answer in words: it quotes the tools' results if they came last, and otherwise what the user said."""
    count = len(messages)
    turns = f"({count} message{'' if count == 1 else 's'})"
    results = list(takewhile(lambda message: isinstance(message, ToolMessage), reversed(messages)))
    if results:
        quotes = ", ".join(f'"{_shorten(text_of(result.content))}"' for result in reversed(results))
        return f"Sandbox answer from {model}: the tools said {quotes} {turns}."
    images = sum(1 for _ in images_of(messages))
    shown = ""
    if images:
        shown = f" and showed {images} image{'' if images == 1 else 's'}"
    answer = f'Sandbox answer from {model}: you said "{_shorten(said)}"{shown} {turns}.'
    if LENGTHY.search(said):
        return answer + MORE
    return answer


def think(said: str) -> str:
    """What it makes of it before it answers."""
    return f'The user said "{_shorten(said)}". This is a sandbox, so the answer follows from fixed rules.'


def _shorten(text: str) -> str:
    if len(text) <= QUOTABLE:
        return text
    return f"{text[:QUOTABLE]}…"
