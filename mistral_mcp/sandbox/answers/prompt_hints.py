"""Values in a prompt that can fill arguments: quoted words, names, numbers, dates and addresses."""

import functools
import re
from dataclasses import dataclass, field

QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w-])")
NAME = re.compile(r"\b[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")
SENTENCE_START = re.compile(r"(?:^|[.!?:\n]\s*)$")
MAX_SCANNED = 4000
"""Characters of the prompt that are searched: more would make these patterns slow."""
FORMATS = {
    "date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "date-time": re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})"),
    "time": re.compile(r"\b\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})"),
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "uri": re.compile(r"https?://[^\s\"'<>)]+"),
}


@dataclass
class Hints:
    """The hints of one prompt. Each number and each phrase is returned once."""

    text: str
    _numbers: list[str] = field(init=False)
    _phrases: list[str] = field(init=False)

    def __post_init__(self) -> None:
        beginning = self.text[:MAX_SCANNED]
        quoted = ["".join(groups) for groups in QUOTED.findall(beginning)]
        plain = QUOTED.sub(" ", beginning)
        names = [
            found.group() for found in NAME.finditer(plain) if not SENTENCE_START.search(plain[: found.start()])
        ]
        self._phrases = list(dict.fromkeys(quoted + names))
        self._numbers = NUMBER.findall(
            functools.reduce(lambda text, form: form.sub(" ", text), FORMATS.values(), plain)
        )

    def number(self) -> str | None:
        """The next number, as it is written."""
        if self._numbers:
            return self._numbers.pop(0)
        return None

    def phrase(self) -> str | None:
        """The next quoted string or capitalised name."""
        if self._phrases:
            return self._phrases.pop(0)
        return None

    def find_format(self, name: str) -> str | None:
        """The first value of this `format`, such as a date, an e-mail address or a link."""
        found = None
        if name in FORMATS:
            found = FORMATS[name].search(self.text[:MAX_SCANNED])
        return found and found.group()

    def mentions(self, value: object) -> bool:
        """Whether the prompt contains this word."""
        return re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", self.text, re.IGNORECASE) is not None
