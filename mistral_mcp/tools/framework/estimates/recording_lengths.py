"""Reads the length of a recording from the file: WAV, FLAC, Ogg, MP4 and MP3. Only small parts are read."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_HEAD = 64 * 1024
_TAIL = 128 * 1024
_MOST_BOXES = 10_000

# Of MPEG audio, by version and layer as a header has them (3: version 1, 2: version 2, 0: version 2.5; 2: layer 2,
# 1: layer 3): bit rates in kbit/s and samples of a frame. Layer 1 is not used in practice.
_RATES_OF_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KINDS = {
    (3, 2): ((32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384), 1152),
    (3, 1): ((32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), 1152),
    (2, 2): (_RATES_OF_2, 1152),
    (2, 1): (_RATES_OF_2, 576),
    (0, 2): (_RATES_OF_2, 1152),
    (0, 1): (_RATES_OF_2, 576),
}
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_SYNC = 0xFFE0
_BOX = 8  # bytes of a box's head
_XING = re.compile(rb"Xing|Info")


class Readable(Protocol):
    """A seekable file."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...


def measure_seconds(file: Readable, size: int) -> float | None:
    """The length of a recording in seconds; None if unknown. `size` is in bytes."""
    head = _read(file, 0, _HEAD)
    try:
        if head.startswith(b"RIFF"):
            return _wav(file, size)
        if head.startswith(b"fLaC"):
            return _flac(head)
        if head.startswith(b"OggS"):
            return _ogg(head, _read(file, max(size - _TAIL, 0), _TAIL))
        if head[4:8] == b"ftyp":
            return _mp4(file, size)
        return _mp3(file, head, size)
    except (struct.error, IndexError, ZeroDivisionError, KeyError):
        return None


def _read(file: Readable, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _wav(file: Readable, size: int) -> float | None:
    rate = 0
    place = 12
    for _ in range(_MOST_BOXES):
        name, length = struct.unpack("<4sI", _read(file, place, 8))
        if name == b"fmt ":
            rate = struct.unpack_from("<I", _read(file, place + 8, 16), 8)[0]
        if name == b"data":
            # A header written while streaming does not hold the length.
            return min(length, size - place - 8) / rate
        place += 8 + length + length % 2
    return None


def _flac(head: bytes) -> float | None:
    packed = int.from_bytes(head[18:26])
    samples = packed & 0xF_FFFF_FFFF
    return samples / (packed >> 44) or None


def _ogg(head: bytes, tail: bytes) -> float | None:
    last = tail.rfind(b"OggS")
    position = struct.unpack_from("<q", tail, last + 6)[0]
    opus = head.find(b"OpusHead")
    if opus >= 0:
        return max(position - struct.unpack_from("<H", head, opus + 10)[0], 0) / 48_000
    vorbis = head.find(b"\x01vorbis")
    if vorbis >= 0:
        return position / struct.unpack_from("<I", head, vorbis + 12)[0]
    return None


def _mp4(file: Readable, size: int) -> float | None:
    for name, start, end in _boxes(file, 0, size):
        if name == b"moov":
            return _movie_header(file, start, end)
    return None


def _movie_header(file: Readable, start: int, end: int) -> float | None:
    for name, place, _ in _boxes(file, start, end):
        if name == b"mvhd":
            header = _read(file, place, 32)
            if header[0] == 1:
                scale, duration = struct.unpack_from(">IQ", header, 20)
            else:
                scale, duration = struct.unpack_from(">II", header, 12)
            return duration / scale or None
    return None


def _boxes(file: Readable, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes in a range of the file: name, start and end of the content."""
    place = start
    for _ in range(_MOST_BOXES):
        if place + _BOX > end:
            return
        length, name = struct.unpack(">I4s", _read(file, place, _BOX))
        content = place + _BOX
        if length == 1:
            length = struct.unpack(">Q", _read(file, content, 8))[0]
            content += 8
        if length == 0:
            length = end - place
        if length < _BOX:
            return
        yield name, content, place + length
        place += length


def _mp3(file: Readable, head: bytes, size: int) -> float | None:
    """The length by the first frame's frame count, or by a bit rate that two places of the file agree on."""
    start = _after_tag(head)
    first = _read(file, start, 4_096)
    frame = _frame(first, 0)
    if frame is None:
        return None
    written = _XING.search(first, 0, 200)
    if written and first[written.end() + 3] & 1:
        frames = struct.unpack_from(">I", first, written.end() + 4)[0]
        return frames * frame.samples / frame.sample_rate
    if frame.bit_rate != _bit_rate_in_the_middle(file, start, size):
        return None
    return (size - start) * 8 / frame.bit_rate


def _bit_rate_in_the_middle(file: Readable, start: int, size: int) -> int | None:
    """The bit rate of a frame that another one follows: two bytes alone may look like a frame by chance."""
    data = _read(file, start + (size - start) // 2, 16_384)
    for place in range(len(data) - 4):
        frame = _frame(data, place)
        if frame is not None and place + frame.length + 4 < len(data) and _frame(data, place + frame.length):
            return frame.bit_rate
    return None


def _after_tag(head: bytes) -> int:
    if not head.startswith(b"ID3"):
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame of MPEG audio."""

    bit_rate: int
    sample_rate: int
    samples: int
    length: int


def _frame(data: bytes, place: int) -> _Frame | None:
    """The frame that begins here; None if none does."""
    sync, third = struct.unpack_from(">HB", data, place)
    kind = _KINDS.get((sync >> 3 & 3, sync >> 1 & 3))
    if kind is None or sync & _SYNC != _SYNC:
        return None
    rates, samples = kind
    rate_index, sample_index = (third >> 4) - 1, third >> 2 & 3
    sample_rates = _SAMPLE_RATES[sync >> 3 & 3]
    if rate_index not in range(len(rates)) or sample_index >= len(sample_rates):
        return None
    bit_rate, sample_rate = 1000 * rates[rate_index], sample_rates[sample_index]
    length = samples // 8 * bit_rate // sample_rate + (third >> 1 & 1)
    return _Frame(bit_rate, sample_rate, samples, length)
