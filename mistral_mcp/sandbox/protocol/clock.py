"""The current time in the API's two formats."""

import time
from datetime import UTC, datetime


def unix_time() -> int:
    """In whole seconds, for files, jobs and models."""
    return int(time.time())


def iso_time() -> str:
    """In ISO 8601, for conversations, libraries and voices."""
    return datetime.now(UTC).isoformat()
