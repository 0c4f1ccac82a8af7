"""Parses Retry-After."""

import math
import time
from email.utils import parsedate_to_datetime

import httpx2

_YEAR = 365 * 24 * 3600.0


def retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds until a retry, as the reply says; None if it says nothing valid."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        seconds = _seconds(headers.get(name, "nan")) / unit
        if seconds < _YEAR:  # false for NaN
            return max(seconds, 0.0)
    return None


def _seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return _until(value)


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return math.nan
