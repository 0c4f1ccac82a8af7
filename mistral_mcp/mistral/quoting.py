"""Makes upstream texts safe to show: no secret, no address, no markup, one line."""

import re

from mistral_mcp.masking import Mask, mask_shapes

_LONG = 4000  # characters that are read
_ADDRESS = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,20}://|data:[\w.+-]{1,50}/)\S*")
_PAGE = re.compile(r"(?i)<(?:!doctype|\?xml|html|head|body)\b|</(?:html|head|body|title|div|p|script)>")
_TAG = re.compile(
    r"(?i)</?(?:a|b|br|button|code|div|em|embed|form|h[1-6]|i|iframe|img|input|li|link|meta|object|ol|p|pre|script|span"
    r"|strong|style|svg|table|td|tr|ul|video)\b[^<>]*>"
)
_ECHOED_INPUT = re.compile(r"\s*\[type=\w+, input_value=.*", re.DOTALL)  # as pydantic prints a validation error


def is_page(text: str) -> bool:
    """Whether a text is a web page rather than a sentence. Angle brackets alone do not make one."""
    return _PAGE.search(text[:_LONG]) is not None


def quote(text: str, mask: Mask, size: int = 300) -> str:
    """One line of a text, cut to `size`; nothing of a web page."""
    text = mask.text(text)
    if len(text) > _LONG:  # at a blank, so that no part of a credential stays
        text = text[:_LONG].rpartition(" ")[0]
    if is_page(text):
        return ""
    text = _TAG.sub(" ", _ADDRESS.sub("[address]", _ECHOED_INPUT.sub("", text)))
    text = " ".join("".join(map(_printable, text)).split())
    text = mask_shapes(text).rstrip(" .")
    if len(text) <= size:
        return text
    return text[: size - 1] + "…"


def quote_token(text: str, mask: Mask, size: int) -> str | None:
    """A code or an id; None if it is neither, or may hold a secret."""
    is_token = re.fullmatch(rf"[\w.:-]{{1,{size}}}", text, re.ASCII) is not None
    if is_token and quote(text, mask) == text:
        return text
    return None


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " "
