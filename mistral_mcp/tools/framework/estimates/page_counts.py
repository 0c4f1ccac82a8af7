"""Counts a document's pages in its own bytes: the page tree of a PDF, the slides of a presentation."""

import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field

MAX_LOOKED_THROUGH = 16 * 1024 * 1024
"""Bytes of a PDF's compressed objects, and of its lists of pages."""
MAX_OBJECTS = 100_000
MAX_ENTRIES = 20_000  # of an archive

_OBJECT = re.compile(rb"(?<!\d)(\d{1,10})\s{1,8}\d{1,5}\s{1,8}obj\b")
_STREAM = re.compile(rb"stream\r?\n")
_CATALOG = re.compile(rb"/Type\s*/Catalog\b")
_PAGES_OF = re.compile(rb"/Pages\s+(\d{1,10})\s+\d{1,5}\s+R")
_COUNT = re.compile(rb"/Count\s+(\d{1,6})(?![\d\s]*\sR\b)")
_OBJECT_STREAM = re.compile(rb"/Type\s*/ObjStm\b")
_FIRST = re.compile(rb"/First\s+(\d{1,6})\b")
_ENTRIES = 1024
"""Bytes of an object that are searched for its entries."""
_KIDS = 64 * 1024
"""Bytes of an object with a list of pages, which may be long."""
_SLIDE = re.compile(r"ppt/slides/slide\d+\.xml")
_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def count_pages(content: bytes) -> int | None:
    """The number of a document's pages; None if unknown."""
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
    """The count in the root of the page tree."""
    tree = _PageTree()
    for position, match in enumerate(_OBJECT.finditer(content)):
        if position >= MAX_OBJECTS or tree.room <= 0:
            return None
        dictionary, is_stream, _ = _entries(content, match.end(), tree).partition(b"stream")
        tree.add(int(match[1]), dictionary)
        if is_stream and _OBJECT_STREAM.search(dictionary):
            tree.add_stream(dictionary, _unpack(content, match.end(), tree))
    return tree.count()


@dataclass
class _PageTree:
    """The objects of a PDF that hold page counts; a later version of an object replaces an earlier one."""

    room: int = field(default_factory=lambda: MAX_LOOKED_THROUGH)
    roots: list[int] = field(default_factory=list[int])
    """Object numbers of page tree roots, from the catalogues."""
    counts: dict[int, int] = field(default_factory=dict[int, int])
    """Page counts by object number."""

    def add(self, number: int, dictionary: bytes) -> None:
        self.counts.pop(number, None)
        count = _COUNT.search(dictionary)
        if count:
            self.counts[number] = int(count[1])
        pages = _PAGES_OF.search(dictionary)
        if pages and _CATALOG.search(dictionary):
            self.roots.append(int(pages[1]))

    def add_stream(self, dictionary: bytes, unpacked: bytes) -> None:
        """A stream of objects begins with pairs of their numbers and places."""
        first = _FIRST.search(dictionary)
        if first is None:
            return
        start = int(first[1])
        numbers = [int(word) for word in unpacked[:start].split() if word.isdigit()]
        places = [start + place for place in numbers[1::2]]
        ends = [*places[1:], len(unpacked)]
        for number, place, end in zip(numbers[::2], places, ends, strict=False):
            self.add(number, unpacked[place : min(end, place + _KIDS)])

    def count(self) -> int | None:
        known = [self.counts[root] for root in self.roots if root in self.counts]
        if known:
            return known[-1]
        return None


def _entries(content: bytes, start: int, tree: _PageTree) -> bytes:
    """The beginning of an object."""
    entries = content[start : start + _ENTRIES]
    if b"/Kids" in entries and b"endobj" not in entries:
        tree.room -= _KIDS
        entries = content[start : start + _KIDS]
    return entries.partition(b"endobj")[0]


def _unpack(content: bytes, start: int, tree: _PageTree) -> bytes:
    """Decompress a stream, up to the bound."""
    data = _STREAM.search(content, start, start + _ENTRIES)
    if data is None:
        return b""
    end = content.find(b"endstream", data.end(), data.end() + tree.room)
    if end < 0:
        tree.room = 0
        return b""
    try:
        unpacked = zlib.decompressobj().decompress(content[data.end() : end], tree.room)
    except zlib.error:
        unpacked = b""
    tree.room -= max(len(unpacked), end - data.end(), _ENTRIES)
    return unpacked
