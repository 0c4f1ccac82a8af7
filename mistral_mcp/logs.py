"""Logs: to stderr, as text or JSON, and without secrets."""

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from mistral_mcp.masking import mask_shapes, may_hold_credential

# Loggers that would write a line with a URL for every request, or dump whole messages.
_CHATTY = ("httpx2", "httpcore2", "mcp", "sse_starlette", "asyncio", "uvicorn", "alembic", "sqlalchemy")


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Replace the logging configuration. Libraries log from WARNING up, where they name no URL and no message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # No format uses these, and each costs a little for every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Nor does any say which line logged it; this is how logging's HOWTO stops the search for it.
    logging._srcfile = None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class Members(dict[str, object]):
    """The facts of an event, as the only argument of its message: members in JSON, "name=value …" in text.

    Cheaper than `extra`, which copies them into each record, also where nothing shows them.
    """

    def __str__(self) -> str:
        return " ".join(
            [f"{name}={value}" for name, value in self.items() if value is not None and name != "event"]
        )


class TextFormatter(logging.Formatter):
    """One line a record, credentials masked by their shape; tracebacks too. Line breaks and control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info or record.exc_text or record.stack_info:
            line = super().format(record)  # adds the traceback
        else:
            record.message = record.getMessage()
            line = self.formatMessage(record)
        return mask_shapes(line)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        line = f"{_second_text(int(record.created))},{int(record.msecs):03d}"
        line += f" {record.levelname} {record.name}: {record.message}"
        if line.isprintable():  # as nearly all are; the search takes ten times as long
            return line
        return _CONTROL.sub(_escape, line)


@lru_cache(maxsize=2)  # takes as long as the rest of the line
def _second_text(seconds: int) -> str:
    """So many seconds after the beginning of 1970, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Each `extra` of a record is a member of its own, and each of its `Members`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if isinstance(record.args, Members):
            entry |= record.args
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        line = json.dumps(entry, default=str)
        if "\\u" in line or may_hold_credential(line):
            return json.dumps({name: _mask(value) for name, value in entry.items()})
        return line


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""Attributes that every record has, and those that formatters add."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _escape(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()


def _mask(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return mask_shapes(str(value))
