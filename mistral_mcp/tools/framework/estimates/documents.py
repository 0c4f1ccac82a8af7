"""Estimates the cost of OCR: a document's pages, as far as they can be counted in advance."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.mistral.api.content import Chunk
from mistral_mcp.mistral.catalog import Per
from mistral_mcp.tools.framework.attached_files import decode_data_url
from mistral_mcp.tools.framework.documents.page_ranges import MAX_PAGES
from mistral_mcp.tools.framework.documents.reading import FIRST, MOST, MOST_REQUESTS
from mistral_mcp.tools.framework.estimates.estimate import Estimate, Pricing, Range
from mistral_mcp.tools.framework.estimates.page_counts import count_pages
from mistral_mcp.tools.framework.estimates.stored_files import MOST_BYTES, look_up
from mistral_mcp.tools.framework.request import Mistral

MOST_OF_A_CALL = FIRST + MOST * (MOST_REQUESTS - 1)


@dataclass(frozen=True, slots=True)
class Length:
    """The number of a document's pages (None if unknown), and how it was found."""

    pages: int | None
    reason: str


async def estimate_document(
    mistral: Mistral, chunk: Chunk, pages: Sequence[int] | None, model: str, *, annotated: bool, at_once: bool
) -> Estimate:
    """The cost of an OCR call. `at_once`: one request reads all pages."""
    length = await measure_document(mistral, chunk)
    pricing = Pricing.of(mistral, model)
    per: Per = "1000 annotated pages" if annotated else "1000 pages"
    amount = pages_of_call(length, pages, at_once=at_once)
    basis = [length.reason] if length.pages is not None else []
    unknown = [length.reason] if length.pages is None else []
    whole = amount.max or 0
    if length.pages is None:
        basis.append(f"Mistral reads at most {MAX_PAGES:,} pages of a document.")
    elif amount.min != whole and not at_once:
        basis.append(f"One call reads at least {amount.min:,g} pages and as many more as a result can show.")
        whole = len(_asked_pages(length.pages, pages))
        cost = pricing.by_unit(Range.exactly(whole), per).max
        if cost is not None:
            basis.append(f"Read on to the end, in as many calls as it takes, {whole:,} pages cost ${cost:.6g}.")
    basis.append(pricing.basis())
    return Estimate.of(pricing.part({"pages": amount}, pricing.by_unit(amount, per)), basis=basis, unknown=unknown)


def pages_of_call(length: Length, pages: Sequence[int] | None, *, at_once: bool) -> Range:
    """How many of the requested pages one call would read."""
    wanted = len(_asked_pages(length.pages or MAX_PAGES, pages))
    if at_once:
        most = least = wanted
    else:
        most, least = min(wanted, MOST_OF_A_CALL), min(wanted, FIRST)
    if length.pages is not None:
        return Range(min=least, max=most)
    # Requested page numbers may not exist.
    return Range(min=0 if pages else 1, max=most)


async def measure_document(mistral: Mistral, chunk: Chunk) -> Length:
    """How many pages a document has."""
    if chunk.get("type") == "file":
        return await _measure_file(mistral, str(chunk.get("file_id")))
    return await measure_inline(chunk)


async def measure_inline(document: JsonValue) -> Length:
    """How many pages an inline document has. Web addresses are not fetched: only Mistral does that."""
    if not isinstance(document, dict):
        return Length(None, "how many pages a document has that cannot be read")
    if document.get("type") == "file":
        return Length(None, "how many pages files at Mistral have: they are not fetched for an estimate")
    url = document.get("document_url", document.get("image_url"))
    if isinstance(url, dict):
        url = url.get("url")
    content = await decode_data_url(str(url))
    if content is not None:
        return await _count(content, "the document")
    if document.get("type") == "image_url":
        return Length(1, "An image is one page.")
    return Length(None, "how many pages a document at a web address has: it is not fetched for an estimate")


async def _measure_file(mistral: Mistral, file_id: str) -> Length:
    file, content = await look_up(mistral, file_id)
    if content is None:
        limit = MOST_BYTES // 1024 // 1024
        return Length(None, f"how many pages the file has: beyond {limit} MB it is not fetched for an estimate")
    return await _count(content, file.filename or "the file")


async def _count(content: bytes, name: str) -> Length:
    pages = await run_heavy(count_pages, content)
    if pages is None:
        return Length(None, f"how many pages {name} has: they cannot be counted in this kind of file")
    return Length(pages, f"Pages counted in the bytes of {name}: {pages:,}.")


def _asked_pages(total: int, pages: Sequence[int] | None) -> Sequence[int]:
    if not pages:
        return range(total)
    return [page for page in pages if page < total]
