"""Lines of a config file."""


def newline_of(text: str) -> str:
    """How its lines end."""
    if "\r\n" in text:
        return "\r\n"
    return "\n"


def trim_block(lines: list[str], start: int, end: int) -> int:
    """The end of a block of lines without the blank lines and comments after it, which belong to what follows."""
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end
