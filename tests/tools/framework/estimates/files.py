"""Small documents and recordings, written by hand as their formats say."""

import io
import struct
import wave
import zipfile
import zlib


def pdf(pages: int) -> bytes:
    """A PDF of empty pages, its objects in the open."""
    kids = " ".join(f"{number} 0 R" for number in range(3, pages + 3))
    parts = [
        b"%PDF-1.4\n",
        b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        f"2 0 obj\n<< /Type /Pages /Kids [{kids}] /Count {pages} >>\nendobj\n".encode(),
    ]
    parts += [
        f"{number} 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] >>\nendobj\n".encode()
        for number in range(3, pages + 3)
    ]
    return b"".join(parts) + b"trailer\n<< /Root 1 0 R >>\n%%EOF\n"


def compressed_pdf(pages: int) -> bytes:
    """A PDF whose catalogue and page tree are in a compressed stream of objects, as most are today."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [] /Count {pages} >>".encode()]
    index = f"1 0 2 {len(objects[0]) + 1} ".encode()
    packed = zlib.compress(index + b" ".join(objects))
    head = f"<< /Type /ObjStm /N 2 /First {len(index)} /Filter /FlateDecode /Length {len(packed)} >>".encode()
    return b"%PDF-1.5\n9 0 obj\n" + head + b"\nstream\n" + packed + b"\nendstream\nendobj\n%%EOF\n"


def slides(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ppt/presentation.xml", "<p/>")
        for number in range(count):
            archive.writestr(f"ppt/slides/slide{number + 1}.xml", "<p/>")
            archive.writestr(f"ppt/slides/_rels/slide{number + 1}.xml.rels", "<r/>")
    return buffer.getvalue()


def wav(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\0" * int(8000 * seconds))
    return buffer.getvalue()


def flac(seconds: int) -> bytes:
    rate = 44_100
    packed = rate << 44 | 1 << 41 | 15 << 36 | rate * seconds
    return b"fLaC\x80\0\0\x22" + b"\0" * 10 + packed.to_bytes(8) + b"\0" * 16


def ogg_opus(seconds: int) -> bytes:
    skip = 312
    first = (
        b"OggS\0\x02" + bytes(8) + bytes(12) + b"\x01\x13" + b"OpusHead\x01\x01" + struct.pack("<HI", skip, 48_000)
    )
    last = b"OggS\0\x04" + struct.pack("<q", seconds * 48_000 + skip) + bytes(13)
    return first + b"\0" * 5_000 + last


def mp4(seconds: int, version: int = 0) -> bytes:
    if version:
        times = struct.pack(">QQIQ", 0, 0, 600, 600 * seconds)
    else:
        times = struct.pack(">IIII", 0, 0, 600, 600 * seconds)
    header = bytes([version, 0, 0, 0]) + times + bytes(20)
    movie = _box(b"moov", _box(b"mvhd", header))
    return _box(b"ftyp", b"M4A \0\0\0\0") + _box(b"mdat", bytes(1_000)) + movie


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


MP3_FRAME = b"\xff\xfb\x90\x00" + b"\0" * 413
"""128 kbit/s at 44,100 Hz: 417 bytes, 1,152 samples."""


def mp3(frames: int) -> bytes:
    """A constant bit rate, with a tag before it."""
    return b"ID3\x04\0\0\0\0\x01\x00" + b"\0" * 128 + MP3_FRAME * frames


def mp3_with_count(frames: int) -> bytes:
    """A variable bit rate, whose first frame says how many there are."""
    first = b"\xff\xfb\x90\x00" + b"\0" * 32 + b"Xing\0\0\0\x01" + struct.pack(">I", frames)
    return first.ljust(417, b"\0") + MP3_FRAME * 10
