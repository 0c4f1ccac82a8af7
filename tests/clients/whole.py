"""A kept result, read completely by what a client shows of it. Runs in the clients' own environments: standard library only."""

import re
from pathlib import Path
from urllib.request import urlopen

ASK = {"inputs": ["a", "b"], "output": "link"}  # of mistral_embed

_KEPT = re.compile(r"\[Kept: ([\d,]+) bytes, [^:]+: ([^\]\s]+)\]")


def get_whole(shown: str) -> None:
    """By the link in its text, or at the path."""
    found = _KEPT.search(shown)
    assert found, f"no kept result in {shown[:500]}"
    size, place = int(found[1].replace(",", "")), found[2]
    if place.startswith("http://"):
        with urlopen(place, timeout=30) as answer:  # noqa: S310 - the server under test
            whole = answer.read()
    else:
        whole = Path(place).read_bytes()
    assert len(whole) == size, f"of a kept result of {size} bytes it got {len(whole)}"
