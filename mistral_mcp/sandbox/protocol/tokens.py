"""Counting tokens without a tokeniser."""

import re

CHARACTERS_PER_TOKEN = 4
"""On average: the rule of thumb for English."""

TOKEN = re.compile(r"\s*(?:\w{1,7}|[^\w\s])|\s+")


def count_tokens(text: str) -> int:
    """The approximate number of tokens in a prompt."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def split_tokens(text: str) -> list[str]:
    """The tokens of a completion; joined, they are the text again."""
    return TOKEN.findall(text)
