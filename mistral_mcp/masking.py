"""Secrets out of text: by value where the secret is known, by shape where it is not.

By value is exact and is applied to every path out. By shape is a guess, so it is applied only where no user's own text
is at stake: upstream error messages and logs.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import quote

from pydantic_core import from_json, to_json

MASK = "[masked]"

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")

# What credentials look like, ours and those that commonly stray into errors: a scheme and its token, prefixed tokens,
# JWTs, and the signature parameters of signed URLs.
_SHAPES = re.compile(
    r"(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?i:mmcp_)[A-Za-z0-9_-]{8,}"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"
    r"|\b(?:gh[pousr]_|github_pat_|aks_|hf_|xox[abp]-)[A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"
    r"|(?i:\b(?:sig|signature|token|api_?key|key|secret|password)=)[^&\s\"']{6,}"
)


# One of these is in every such text. Most lines of a log hold none, and looking for these costs a tenth.
_MARKS = (
    *(
        "bearer",
        "basic",
        "mmcp_",
        "sk-",
        "pk-",
        "rk-",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "aks_",
    ),
    *("hf_", "xox", "eyj", "sig=", "signature=", "token=", "key=", "secret=", "password="),
)


def mask_shapes(text: str) -> str:
    """Mask whatever looks like a credential."""
    if may_hold_credential(text):
        return _SHAPES.sub(MASK, text)
    return text


def may_hold_credential(text: str) -> bool:
    """False where nothing can look like one."""
    folded = text.casefold()
    for mark in _MARKS:  # noqa: SIM110 - a generator takes twice as long, and every line of the log comes by
        if mark in folded:
            return True
    return False


class Mask:
    """The secrets of one caller, and their encodings, ready to be taken out of what goes back to that caller."""

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {form for secret in secrets if len(secret) >= 4 for form in _forms(secret)}  # noqa: PLR2004 - shorter is no secret
        # Longest first, so that no form leaves the rest of a longer one standing.
        self._forms = sorted(values, key=len, reverse=True)
        self._bytes = [form.encode() for form in self._forms]
        self._encoded = [form.encode(encoding) for form in self._forms for encoding in _ENCODINGS]

    def text(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def body(self, body: bytes) -> bytes:
        """The same for a raw reply. In JSON only strings are masked, so that it stays JSON."""
        if not any(form in body for form in self._bytes) and not any(escape in body for escape in _ESCAPES):
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
        """The same for what JSON holds: only texts are looked at, and lists of numbers are passed over whole."""
        if self._forms:
            return self._strings(value)
        return value

    def binary(self, data: bytes) -> bytes:
        """The same for what is no text, in UTF-8 and UTF-16: as many bytes as before, so that offsets in it stay true."""
        for secret in self._encoded:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        return data

    def event(self, data: str) -> str:
        """The same for one event of a stream."""
        if any(form in data for form in self._forms) or "\\u" in data or "\\/" in data:
            return self.body(data.encode()).decode()
        return data

    def held_back(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a secret, so must wait for what follows."""
        start = len(text)
        for form in self._forms:
            at = text.find(form[0], max(len(text) - len(form) + 1, 0), start)
            while at >= 0 and not form.startswith(text[at:]):
                at = text.find(form[0], at + 1, start)
            if at >= 0:
                start = at
        if start == len(text):
            return 0
        # What waits may begin within a secret that is whole, which would be cut in two.
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


def _across(form: str, text: str, cut: int) -> int:
    """Where in the text the form is that a cut there would go through; -1 if nowhere."""
    at = text.rfind(form, 0, cut + len(form) - 1)
    if at + len(form) > cut:
        return at
    return -1


_ESCAPES = (b"\\u", b"\\/")
"""With these in it, JSON may spell a secret in another way."""


def _forms(secret: str) -> Iterable[str]:
    """The secret itself, as a JSON string and a URL hold it, and its base64 at each offset it may have in a whole."""
    yield secret
    if not _PLAIN.fullmatch(secret):
        yield json.dumps(secret, ensure_ascii=False)[1:-1]
        for quoted in (quote(secret, safe=""), quote(secret), quote(quote(secret, safe=""), safe="")):
            yield quoted
            yield re.sub("%..", lambda escape: escape[0].lower(), quoted)
    raw = secret.encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        # The characters at either edge also carry bits of the neighbours: leave them out.
        core = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(raw)) % 3 else 0)]
        if len(core) >= 8:  # noqa: PLR2004 - less would match by chance
            yield core
            yield core.translate(_URL_SAFE)


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
"""What JSON and URLs hold as it is: every usual key. A mask is made for each call, so this counts."""

_URL_SAFE = str.maketrans("+/", "-_")
