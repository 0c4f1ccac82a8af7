"""Pagination, with Mistral's page numbers, from 0."""

from typing import Annotated

from pydantic import Field

MAX_PAGE = 1_000_000

Page = Annotated[int, Field(description="Page number, from 0.", ge=0, le=MAX_PAGE)]
PageSize = Annotated[int, Field(description="Page size.", ge=1, le=100)]


def next_page(page: int, page_size: int, shown: int, total: int | None) -> int | None:
    """The next page; None on the last. Without a total, a full page is taken to have a next one."""
    if total is None:
        more = shown == page_size
    else:
        more = (page + 1) * page_size < total
    if more:
        return page + 1
    return None


def list_text(lines: list[str], nothing: str, following: int | None, total: int | None) -> str:
    """A page of a list as text."""
    if total is None:
        in_all = ""
    else:
        in_all = f"{total} in all; "
    if following is None:
        rest = []
    else:
        rest = [f"({in_all}more on page {following})"]
    return "\n".join([*(lines or [nothing]), *rest])


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 vector`, `2 vectors`, `1,000 entries`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {plural or noun + 's'}"
