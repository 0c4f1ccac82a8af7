"""How many pages a document has, counted in its own bytes: of a PDF by its page tree, of slides by their number."""

import io
import re
import zipfile
import zlib

MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes of a PDF's compressed objects that are looked through."""
MAX_ENTRIES = 20_000  # of an archive

_OBJECT = re.compile(rb"(?<!\d)(\d{1,10})\s+\d{1,5}\s+obj\b")
_STREAM = re.compile(rb"stream\r?\n")
_CATALOG = re.compile(rb"/Type\s*/Catalog\b")
_PAGES_OF = re.compile(rb"/Pages\s+(\d{1,10})\s+\d{1,5}\s+R")
_COUNT = re.compile(rb"/Count\s+(\d{1,6})(?![\d\s]*\sR\b)")
_OBJECT_STREAM = re.compile(rb"/Type\s*/ObjStm\b")
_FIRST = re.compile(rb"/First\s+(\d{1,10})")
_ENTRY = 4_096  # bytes of an object in which its entries are looked for
_SLIDE = re.compile(r"ppt/slides/slide\d+\.xml")
_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def count_pages(content: bytes) -> int | None:
    """The pages of a document; None where they cannot be told."""
    if b"%PDF-" in content[:1024]:
        return _count_pdf(content)
    if content.startswith(b"PK"):
        return _count_slides(content)
    if content.startswith(_IMAGES):
        return 1
    return None


def _count_slides(content: bytes) -> int | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()[:MAX_ENTRIES]
    except (zipfile.BadZipFile, ValueError, OSError):
        return None
    return sum(bool(_SLIDE.fullmatch(name)) for name in names) or None


def _count_pdf(content: bytes) -> int | None:
    """What the root of the page tree says; a later version of an object stands in the place of an earlier one."""
    objects = _objects(content)
    catalogs = [text for text in objects.values() if _CATALOG.search(text)]
    for text in reversed(catalogs):
        pages = _PAGES_OF.search(text)
        root = objects.get(int(pages[1])) if pages else None
        count = _COUNT.search(root) if root else None
        if count:
            return int(count[1])
    return None


def _objects(content: bytes) -> dict[int, bytes]:
    """The beginnings of all objects by number, those in object streams included."""
    found: dict[int, bytes] = {}
    room = MAX_UNPACKED
    for match in _OBJECT.finditer(content):
        text = content[match.end() : match.end() + _ENTRY]
        end = text.find(b"endobj")
        found.pop(int(match[1]), None)
        found[int(match[1])] = text if end < 0 else text[:end]
        if _OBJECT_STREAM.search(text[: max(text.find(b"stream"), 0)]):
            unpacked = _unpack(content, match.end(), room)
            room -= len(unpacked)
            found |= _objects_of_stream(text, unpacked)
    return found


def _unpack(
    content: bytes,
    start: int,
    room: int,
) -> bytes:
    data = _STREAM.search(content, start)
    if data is None or room <= 0:
        return b""
    try:
        return zlib.decompressobj().decompress(content[data.end() : data.end() + room], room)
    except zlib.error:
        return b""


def _objects_of_stream(dictionary: bytes, unpacked: bytes) -> dict[int, bytes]:
    """A stream of objects begins with pairs of their numbers and places."""
    first = _FIRST.search(dictionary)
    if first is None:
        return {}
    start = int(first[1])
    numbers = [int(word) for word in unpacked[:start].split() if word.isdigit()]
    places = [start + place for place in numbers[1::2]]
    ends = [*places[1:], len(unpacked)]
    objects: dict[int, bytes] = {}
    for number, place, end in zip(
        numbers[::2],
        places,
        ends,
        strict=False,
    ):
        objects[number] = unpacked[place : min(end, place + _ENTRY)]
    return objects
