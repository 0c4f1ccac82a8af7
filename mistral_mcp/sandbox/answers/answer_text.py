"""The text that the sandbox answers: that it is a sandbox, and what the user said."""

import re
from collections.abc import Sequence
from itertools import takewhile

from mistral_mcp.sandbox.protocol.messages import Message, ToolMessage, text_of
from mistral_mcp.sandbox.protocol.rules import images_of

ASKS_FOR_LENGTH = re.compile(
    r"\b(?:article|count|describe|detail|essay|explain|haiku|list|long|poem|stor(?:y|ies)|summar|translate|write)",
    re.IGNORECASE,
)
LONG_TEXT = (
    " You asked for something that takes a few sentences, so here are some, which is enough to watch a stream arrive."
    " Nothing in them was thought up by a model: the sandbox answers from fixed rules, and gives the same answer every"
    " time. First comes what you said, then this remark, and then a short list of three.\n\n"
    "1. The wind comes over the hills.\n2. The river carries the leaves away.\n3. The sandbox stays where it is.\n\n"
    "That is all there is to say about it."
)
MAX_QUOTE = 2000
"""Characters of the prompt that are quoted at most."""


def answer_text(model: str, messages: Sequence[Message], prompt: str) -> str:
    """A text that quotes the tool results if they came last, and otherwise the user's prompt."""
    turns = f"({_count(len(messages), 'message')})"
    results = list(takewhile(lambda message: isinstance(message, ToolMessage), reversed(messages)))
    if results:
        quotes = ", ".join(f'"{_shorten(text_of(result.content))}"' for result in reversed(results))
        return f"Sandbox answer from {model}: the tools said {quotes} {turns}."

    images = sum(1 for _ in images_of(messages))
    shown = ""
    if images:
        shown = f" and showed {_count(images, 'image')}"
    answer = f'Sandbox answer from {model}: you said "{_shorten(prompt)}"{shown} {turns}.'
    if ASKS_FOR_LENGTH.search(prompt):
        return answer + LONG_TEXT
    return answer


def think(prompt: str) -> str:
    """The thinking before the answer."""
    return f'The user said "{_shorten(prompt)}". This is a sandbox, so the answer follows from fixed rules.'


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}s"


def _shorten(text: str) -> str:
    if len(text) <= MAX_QUOTE:
        return text
    return f"{text[:MAX_QUOTE]}…"
