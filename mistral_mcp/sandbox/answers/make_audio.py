"""Audio: recognise it, measure its length, and make silence."""

import base64
import binascii
import math
import struct
from typing import Literal

from mistral_mcp.sandbox.protocol.errors import unreadable_file

SIGNATURES = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"fLaC", b"OggS", b"\x1aE\xdf\xa3")
BYTES_PER_SECOND = 16_000
"""Assumed for audio without a header that says so: 128 kbit/s."""
RATE = 24_000
SECONDS_PER_CHARACTER = 0.002
"""For generated speech: much too fast, so that replies stay small."""

LINKED_SECONDS = 3
"""Assumed length of audio behind a link, which is never fetched."""

Format = Literal["pcm", "wav", "mp3", "flac", "opus"]


def decode_audio(written: str) -> bytes:
    """The audio of a message, from base64 with or without a data URL prefix; a placeholder for a link. 400 if it is neither."""
    if written.startswith("https://"):
        return b"ID3" + bytes(LINKED_SECONDS * BYTES_PER_SECOND)
    try:
        return base64.b64decode(written.rpartition(";base64,")[2], validate=True)
    except binascii.Error:
        raise unreadable_file("Audio input could not be decoded.") from None


def audio_seconds(data: bytes) -> float:
    """The length of the audio in seconds. 400 if the data is not audio."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        rate = 0
        if len(data) > 32:  # noqa: PLR2004 - the end of the field
            rate = struct.unpack("<I", data[28:32])[0]
        return max((len(data) - 44) / (rate or BYTES_PER_SECOND), 0.0)
    if not data.startswith(SIGNATURES) and data[4:8] != b"ftyp":
        raise unreadable_file("Audio input could not be decoded.")
    return len(data) / BYTES_PER_SECOND


def make_silence(length: float, form: Format) -> bytes:
    """Silence of this many seconds. The files can be played, except flac and opus, of which there is only the header."""
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
