"""Long texts: what a context can take, and a sentence of how to get the rest."""

LONG = 40_000  # characters in one result, some 10,000 tokens


def cut(text: str, rest: str, size: int = LONG) -> str:
    """The text, or as much as fits and `rest`: the sentence that says how to get more."""
    if len(text) <= size:
        return text
    return f"{text[:size]}\n\n[Cut: {len(text) - size:,} more characters. {rest}]"
