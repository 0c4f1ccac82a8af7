"""Logs: to stderr, as text or JSON, and without secrets."""

import json
import logging
import sys
from typing import Literal

from mistral_mcp.masking import mask_shapes

# What would print a line, and a URL, for every request, or dump whole messages.
_CHATTY = ("httpx2", "httpcore2", "mcp", "sse_starlette", "asyncio", "uvicorn", "alembic", "sqlalchemy")


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Replace whatever logging was set up. Libraries are held at WARNING, where they name no URL and no message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextFormatter(logging.Formatter):
    """One line a record, credentials masked by their shape; tracebacks too."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return mask_shapes(super().format(record))


class JsonFormatter(logging.Formatter):
    """The same as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: mask_shapes(value) for name, value in entry.items()})
