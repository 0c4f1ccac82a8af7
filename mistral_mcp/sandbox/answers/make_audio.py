"""Recordings: telling one from anything else, how long it is, and making some that are silent."""

import base64
import binascii
import math
import struct
from typing import Literal

from mistral_mcp.sandbox.protocol.errors import unreadable_file

SIGNATURES = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"fLaC", b"OggS", b"\x1aE\xdf\xa3")
BYTES_A_SECOND = 16_000
"""Of a recording that does not say so itself: 128 kilobits."""
RATE = 24_000
SECONDS_A_CHARACTER = 0.002
"""Of the speech that is made: much too fast, and small."""

LINKED_SECONDS = 3
"""Of a recording behind a link, which nobody follows."""

Format = Literal["pcm", "wav", "mp3", "flac", "opus"]


def decode_audio(written: str) -> bytes:
    """A recording from a message: base64, with or without the beginning of a data URL. Behind a link there is nothing."""
    if written.startswith("https://"):
        return b"ID3" + bytes(LINKED_SECONDS * BYTES_A_SECOND)
    try:
        return base64.b64decode(written.rpartition(";base64,")[2], validate=True)
    except binascii.Error:
        raise unreadable_file("Audio input could not be decoded.") from None


def audio_seconds(data: bytes) -> float:
    """How long this recording is; refused if it is none."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        rate = struct.unpack("<I", data[28:32])[0] if len(data) > 32 else 0  # noqa: PLR2004 - the end of the field
        return max((len(data) - 44) / (rate or BYTES_A_SECOND), 0.0)
    if not data.startswith(SIGNATURES) and data[4:8] != b"ftyp":
        raise unreadable_file("Audio input could not be decoded.")
    return len(data) / BYTES_A_SECOND


def make_silence(length: float, form: Format) -> bytes:
    """A recording of this many seconds in which nothing is heard. It is real, but for flac and opus, which only begin so."""
    samples = round(length * RATE)
    match form:
        case "pcm":
            return bytes(4 * samples)
        case "wav":
            size = 2 * samples
            sizes = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", size)
            return struct.pack("<4sI4s4sIHHIIHH4sI", *sizes) + bytes(size)
        case "mp3":
            # Frames of MPEG-1 layer III at 128 kbit/s and 44.1 kHz, 417 bytes and 26 ms each.
            return b"".join([b"\xff\xfb\x90\x00" + bytes(413)] * max(math.ceil(length / 0.026), 1))
        case "flac":
            return b"fLaC\x80\x00\x00\x22" + bytes(34)
        case "opus":
            return b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01" + bytes(9)
