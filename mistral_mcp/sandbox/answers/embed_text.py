"""Embeddings without a model: words and their trigrams hashed into a vector, plus a little fixed noise.

The noise makes the vectors dense, as real ones are, so that a reply is as large as Mistral's. It is computed once: for each
text only the values at the positions of its words are computed. Values are half-precision floats, as in the recordings.
"""

import functools
import math
import re
import struct
import zlib
from dataclasses import dataclass

WORD = re.compile(r"\w+")
TRIGRAM = 3
WORD_PLACES = 4
WORD_WEIGHT = 1.0
TRIGRAM_WEIGHT = 0.4
COMMON_WEIGHT = 0.15
COMMON = (
    "a an and are as at be by do does for from how i in is it my of on or our that the this to was we what when where "
    "which who why will with you your"
)
NOISES = 16
"""How many noise vectors there are; the text determines which one is used."""
NOISE_SHARE = 0.01
"""The noise's share of the squared length of the vector."""


@dataclass(frozen=True)
class Vector:
    """A vector of length one, and its JSON text."""

    values: list[float]
    json: str


def embed_text(text: str, dimension: int) -> Vector:
    """The vector of a text: the same every time, and near the vectors of texts with the same words."""
    weights: dict[int, float] = {}
    for word in WORD.findall(text.lower()) or [text]:
        for place, weight in _features(word):
            weights[place % dimension] = weights.get(place % dimension, 0.0) + weight

    values, written = _noise(dimension, zlib.crc32(text.encode()) % NOISES)
    values, written = values.copy(), written.copy()

    rest = 1.0 - NOISE_SHARE + sum(values[place] ** 2 for place in weights)
    squares = sum(weight * weight for weight in weights.values())
    scale = math.sqrt(rest / (squares or 1.0))
    touched = _round_to_half_precision([weight * scale for weight in weights.values()])
    for place, value in zip(weights, touched, strict=True):
        values[place] = value
        written[place] = repr(value)

    return Vector(values, f"[{','.join(written)}]")


@functools.lru_cache(maxsize=50_000)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """The positions of a word, before `% dimension`, with its weight at each."""
    common = word in COMMON.split()
    weight = WORD_WEIGHT
    if common:
        weight = COMMON_WEIGHT
    places = [(f"{word}#{number}", weight) for number in range(WORD_PLACES)]
    if not common:
        padded = f"<{word}>"
        places += [(padded[at : at + TRIGRAM], TRIGRAM_WEIGHT) for at in range(len(padded) - TRIGRAM + 1)]
    marks: list[tuple[int, float]] = []
    for name, strength in places:
        mark = zlib.crc32(name.encode())
        marks.append((mark >> 1, strength if mark & 1 else -strength))
    return tuple(marks)


@functools.lru_cache(maxsize=NOISES * 8)
def _noise(dimension: int, number: int) -> tuple[list[float], list[str]]:
    raw = [zlib.crc32(f"{number}/{place}".encode()) / 0xFFFFFFFF - 0.5 for place in range(dimension)]
    scale = math.sqrt(NOISE_SHARE / sum(value * value for value in raw))
    values = _round_to_half_precision([value * scale for value in raw])
    return values, [repr(value) for value in values]


def _round_to_half_precision(values: list[float]) -> list[float]:
    """The nearest half-precision floats, which single precision holds exactly."""
    return list(struct.unpack(f"<{len(values)}e", struct.pack(f"<{len(values)}e", *values)))
