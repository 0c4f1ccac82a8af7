"""Reads a document in parts: each page is paid for once, and only as many are read as a result can show."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from mistral_mcp.errors import RequestRefused, UpstreamError
from mistral_mcp.mistral.api.ocr import OcrCall, OcrReply, OcrUsage, Page
from mistral_mcp.tools.framework.documents.page_ranges import MAX_PAGES, format_pages
from mistral_mcp.tools.framework.kept import LONG
from mistral_mcp.tools.framework.request import Mistral

FIRST = 8
"""Pages of the first request, which shows how long a page is."""
MOST = 100
"""Pages of one request."""
MOST_REQUESTS = 6
SHARE_OF_TIMEOUT = 0.7
"""The part of a call's time to use; the time for a page is known after the first request."""


@dataclass
class Reading:
    """The pages read so far, and the next ones."""

    model: str
    pages: list[Page] = field(default_factory=list[Page])
    annotation: str | None = None
    usage: OcrUsage = field(default_factory=OcrUsage)
    next_pages: list[int] = field(default_factory=list[int])

    @property
    def characters(self) -> int:
        return sum(len(page.markdown) for page in self.pages)

    def add(self, reply: OcrReply) -> None:
        self.model = reply.model or self.model
        self.pages += reply.pages
        self.annotation = reply.document_annotation
        processed = self.usage.pages_processed + reply.usage_info.pages_processed
        size = reply.usage_info.doc_size_bytes or self.usage.doc_size_bytes
        self.usage = OcrUsage(pages_processed=processed, doc_size_bytes=size)


async def read_document(mistral: Mistral, call: OcrCall, pages: list[int] | None) -> Reading:
    """Read these pages, or all, as far as a result can show them.

    An annotation covers the pages of one request, so with one there is a single request.
    """
    reading = Reading(call.model)
    if call.document_annotation_format is not None:
        if pages:
            wanted = format_pages(pages)
        else:
            wanted = None
        reading.add(await _send(mistral, call.model_copy(update={"pages": wanted})))
        return reading
    left = pages or list(range(MAX_PAGES))
    async for reply, asked in _replies(mistral, call, left, reading):
        reading.add(reply)
        # Fewer than requested: the document ends here.
        if len(reply.pages) >= asked:
            left = left[asked:]
        else:
            left = []
        reading.next_pages = left
    return reading


async def _replies(
    mistral: Mistral, call: OcrCall, pages: list[int], reading: Reading
) -> AsyncGenerator[tuple[OcrReply, int]]:
    started = time.monotonic()
    count, position = FIRST, 0
    for request in range(MOST_REQUESTS):
        asked = pages[position : position + count]
        try:
            reply = await _send(mistral, call.model_copy(update={"pages": format_pages(asked)}))
        except UpstreamError:
            if not request:
                raise
            return  # the result shows the pages read, and names the rest
        yield reply, len(asked)
        position += len(asked)
        elapsed = time.monotonic() - started
        count = min(
            _fitting(reading), _in_time(reading, elapsed, mistral.settings.timeout * SHARE_OF_TIMEOUT), MOST
        )
        if not reading.next_pages or count < 1:
            return


def _fitting(reading: Reading) -> int:
    """How many more pages of the same length a result can show."""
    return (LONG - reading.characters) * len(reading.pages) // max(reading.characters, 1)


def _in_time(reading: Reading, elapsed: float, seconds: float) -> int:
    """How many more pages can be read at the same speed."""
    return int((seconds - elapsed) * len(reading.pages) / max(elapsed, 0.001))


async def _send(mistral: Mistral, call: OcrCall) -> OcrReply:
    """Send the call; Mistral refuses office documents unless it says whether to include their pictures."""
    try:
        return await mistral.send(call, model=call.model)
    except RequestRefused as error:
        if call.image_limit is not None or "image_limit" not in error.what:
            raise
    return await mistral.send(call.model_copy(update={"image_limit": 0}), model=call.model)
