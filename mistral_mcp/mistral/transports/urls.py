"""Caches parsed URLs: parsing costs more than the rest of a request."""

from functools import lru_cache

import httpx2

_SHORT = 256  # characters; longer URLs hold callers' values, and are parsed each time


def parse_url(url: str) -> httpx2.URL:
    if len(url) <= _SHORT:
        return _parse(url)
    return httpx2.URL(url)


@lru_cache(maxsize=1024)
def _parse(url: str) -> httpx2.URL:
    return httpx2.URL(url)
