"""Masks secrets in text: by value where the secret is known, by shape where it is not.

Masking by value is exact and applies to every output. Masking by shape is a guess, so it applies only to texts that are not
the user's own: upstream error messages and logs.
"""

import json
import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, product
from typing import Any, cast
from urllib.parse import quote

from pydantic_core import from_json, to_json

MASK = "[masked]"

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")

# What credentials look like, ours and those that often end up in errors by mistake: a scheme and its token, prefixed tokens,
# JWTs, and the signature parameters of signed URLs.
_SHAPES = re.compile(
    r"(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?i:mmcp_)[A-Za-z0-9_-]{8,}"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"
    r"|\b(?:gh[pousr]_|github_pat_|aks_|hf_|xox[abp]-)[A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"
    r"|(?i:\b(?:sig|signature|token|api_?key|key|secret|password)=)[^&\s\"']{6,}"
)


# Every credential holds one of these, "k-" and "gh" those of several kinds. Most log lines hold none, and this search costs a
# tenth of the full one.
_MARKS = (
    *("bearer", "basic", "mmcp_", "k-", "gh", "aks_", "hf_", "xox", "eyj"),
    *("sig=", "signature=", "token=", "key=", "secret=", "password="),
)


def mask_shapes(text: str) -> str:
    """Mask whatever looks like a credential."""
    if may_hold_credential(text):
        return _SHAPES.sub(MASK, text)
    return text


def may_hold_credential(text: str) -> bool:
    """False if the text certainly holds none; cheap."""
    folded = text.casefold()
    for mark in _MARKS:  # noqa: SIM110 - a generator takes twice as long, and this runs for every log line
        if mark in folded:
            return True
    return False


class Mask:
    """Masks the secrets of one caller, in all their encodings, in whatever is returned to that caller."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long_enough = (secret for secret in secrets if len(secret) >= 4)  # noqa: PLR2004 - shorter is no secret
        values = set(chain.from_iterable(map(_forms, long_enough)))
        # Longest first, so that a shorter form never leaves the rest of a longer one unmasked.
        self._forms = sorted(values, key=len, reverse=True)
        self._bytes = [form.encode() for form in self._forms]

    @cached_property
    def _encoded(self) -> list[bytes]:
        """For the few replies that are no text."""
        return [form.encode(encoding) for form, encoding in product(self._forms, _ENCODINGS)]

    def text(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def body(self, body: bytes) -> bytes:
        """Mask a raw reply. In JSON only strings are masked, so that it stays JSON."""
        if not _holds_one_of(self._bytes, body) and not _holds_one_of(_ESCAPES, body):
            return body
        try:
            reply = from_json(body)
        except ValueError:
            for form in self._bytes:
                body = body.replace(form, MASK.encode())
            return body
        masked = self._strings(reply)
        if masked == reply:
            return body
        return to_json(masked)

    def value(self, value: Any) -> Any:
        """Mask a JSON value: only strings are searched, and lists of numbers are skipped."""
        if self._forms:
            return self._strings(value)
        return value

    def file(self, data: bytes) -> bytes:
        """The same for what may be text or not."""
        try:
            data.decode()
        except UnicodeDecodeError:
            return self.binary(data)
        return self.body(data)

    def binary(self, data: bytes) -> bytes:
        """Mask binary data, in UTF-8 and UTF-16, keeping its length, so that offsets in it stay valid."""
        for secret in self._encoded:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        return data

    def event(self, data: str) -> str:
        """Mask one event of a stream."""
        if any(form in data for form in self._forms) or "\\u" in data or "\\/" in data:
            return self.body(data.encode()).decode()
        return data

    def held_back(self, text: str) -> int:
        """How many characters at the end of `text` may begin a secret, and so must wait for the next piece."""
        start = len(text)
        for form in self._forms:
            at = text.find(form[0], max(len(text) - len(form) + 1, 0), start)
            while at >= 0 and not form.startswith(text[at:]):
                at = text.find(form[0], at + 1, start)
            if at >= 0:
                start = at
        if start == len(text):
            return 0
        # The cut must not fall inside a complete secret.
        while cut := [at for form in self._forms if (at := _across(form, text, start)) >= 0]:
            start = min(cut)
        return len(text) - start

    def _strings(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if items and isinstance(items[0], float):
                return items  # a vector: thousands of them
            return [self._strings(item) for item in items]
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {self.text(name): self._strings(member) for name, member in members.items()}
        return value


def _holds_one_of(parts: Sequence[bytes], body: bytes) -> bool:
    for part in parts:  # noqa: SIM110 - a generator takes twice as long, and this runs for every reply
        if part in body:
            return True
    return False


def _across(form: str, text: str, cut: int) -> int:
    """Where the form begins that a cut at this place would split; -1 if it splits none."""
    at = text.rfind(form, 0, cut + len(form) - 1)
    if at + len(form) > cut:
        return at
    return -1


_ESCAPES = (b"\\u", b"\\/")
"""Characters that JSON may escape, so that a secret with them has several spellings."""


def _forms(secret: str) -> Iterable[str]:
    """The secret itself, as JSON and URLs escape it, and its base64 at each of the three offsets."""
    yield secret
    if not _PLAIN.fullmatch(secret):
        yield json.dumps(secret, ensure_ascii=False)[1:-1]
        for quoted in (quote(secret, safe=""), quote(secret), quote(quote(secret, safe=""), safe="")):
            yield quoted
            yield re.sub("%..", lambda escape: escape[0].lower(), quoted)
    raw = secret.encode()
    for offset in range(3):
        encoded = b2a_base64(b"\0" * offset + raw, newline=False).decode().rstrip("=")
        # The characters at either end also encode bits of neighbouring bytes: leave them out.
        core = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(raw)) % 3 else 0)]
        if len(core) >= 8:  # noqa: PLR2004 - less would match by chance
            yield core
            if "+" in core or "/" in core:
                yield core.translate(_URL_SAFE)


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
"""Matches what JSON and URLs leave unescaped: every usual key. A mask is made for each call, so speed counts."""

_URL_SAFE = str.maketrans("+/", "-_")
