"""Pages counted in a document's own bytes."""

import time

import pytest

from mistral_mcp.tools.framework.estimates import page_counts
from mistral_mcp.tools.framework.estimates.page_counts import count_pages
from tests.tools.framework.estimates.files import compressed_pdf, pdf, slides


@pytest.mark.parametrize("pages", [1, 37, 300, 1_000])
def test_the_pages_of_a_pdf_are_what_its_page_tree_says(pages: int) -> None:
    assert count_pages(pdf(pages)) == pages
    assert count_pages(compressed_pdf(pages)) == pages


def test_a_later_version_of_the_page_tree_is_the_one_that_holds() -> None:
    update = b"2 0 obj\n<< /Type /Pages /Kids [] /Count 38 >>\nendobj\n%%EOF\n"

    assert count_pages(pdf(37) + update) == 38


def test_slides_and_images_are_pages() -> None:
    assert count_pages(slides(12)) == 12
    assert count_pages(b"\x89PNG\r\n\x1a\n") == 1
    assert count_pages(b"\xff\xd8\xff\xe0") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Just text.",
        b"PK\x03\x04 and no archive",
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        b"%PDF-1.7\n2 0 obj\n<< /Type /Pages /Count 7 0 R >>\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        compressed_pdf(3).replace(b"stream\nx", b"stream\n?"),
    ],
)
def test_what_cannot_be_counted_is_not_guessed(content: bytes) -> None:
    assert count_pages(content) is None


def test_no_more_is_unpacked_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_counts, "MAX_LOOKED_THROUGH", 10)

    assert count_pages(compressed_pdf(3)) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"1 1 obj " * 1_000_000, id="objects"),
        pytest.param(b"9 0 obj /Type/ObjStm stream\n" * 200_000, id="streams without an end"),
        pytest.param(b"9 0 obj /Type/ObjStm stream\n" * 200_000 + b"endstream", id="streams with one end"),
        pytest.param(b"9 0 obj /Kids " * 400_000, id="lists of pages"),
    ],
)
def test_a_file_made_to_take_long_is_given_up(content: bytes) -> None:
    began = time.process_time()

    assert count_pages(b"%PDF-1.7\n" + content) is None
    assert time.process_time() - began < 2
