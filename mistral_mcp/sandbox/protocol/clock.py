"""Times as the API writes them."""

import time
from datetime import UTC, datetime


def unix_time() -> int:
    """Now, in whole seconds: what files, jobs and models have."""
    return int(time.time())


def iso_time() -> str:
    """Now, as conversations, libraries and voices have it."""
    return datetime.now(UTC).isoformat()
