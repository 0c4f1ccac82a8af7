"""Lists come a page at a time, as Mistral counts pages: from 0."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

Page = Annotated[int, Field(description="From 0.", ge=0)]
PageSize = Annotated[int, Field(description="At most.", ge=1, le=100)]


def next_page(page: int, page_size: int, shown: int, total: int | None) -> int | None:
    """The page that follows, where there is more; unknown totals are judged by whether this page is full."""
    more = shown == page_size if total is None else (page + 1) * page_size < total
    return page + 1 if more else None


def list_text(lines: list[str], nothing: str, following: int | None, total: int | None) -> str:
    """A page as a reader sees it."""
    in_all = "" if total is None else f"{total} in all; "
    rest = [] if following is None else [f"({in_all}more on page {following})"]
    return "\n".join([*(lines or [nothing]), *rest])


def format_time(seconds: int | None) -> str:
    """A time of Mistral's, in seconds since 1970, as a reader sees it."""
    if seconds is None:
        return "unknown"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return "unknown"
