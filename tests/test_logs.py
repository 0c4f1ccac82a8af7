"""Log lines: one for each record, with each fact as a member in JSON, and without secrets."""

import json
import logging
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest

from mistral_mcp.logs import JsonFormatter, TextFormatter

TOKEN = "mmcp_" + "a" * 49  # the shape of one


def record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("mistral_mcp.test").makeRecord(
        "mistral_mcp.test", logging.INFO, __file__, 1, message, values, None, extra=extra
    )


def as_json(entry: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(entry)
    assert "\n" not in line
    return json.loads(line)


def test_every_fact_is_a_member_of_its_own():
    facts = {
        "event": "http_request",
        "method": "POST",
        "route": "/mcp",
        "status": 200,
        "ms": 12,
        "connection_id": None,
    }
    entry = as_json(record("%s %s", "POST", "/mcp", **facts))

    assert {name: entry[name] for name in facts} == facts
    assert set(entry) == {*facts, "time", "level", "logger", "message"}
    assert entry["message"] == "POST /mcp"


def test_times_are_iso_8601_in_utc():
    time = datetime.fromisoformat(as_json(record("x"))["time"])
    assert time.utcoffset() == timedelta(0)


def test_no_member_holds_a_credential():
    line = JsonFormatter().format(record("used %s", TOKEN, url=f"/c/{TOKEN}/mcp", other=[TOKEN]))
    assert TOKEN not in line


def test_a_traceback_is_a_member():
    try:
        int("x")
    except ValueError:
        entry = record("x")
        entry.exc_info = sys.exc_info()
    assert "ValueError" in as_json(entry)["exception"]


def test_a_line_of_text_has_the_time_level_and_logger_as_logging_writes_them():
    usual = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    entries = [record("said %s", "hello") for _ in range(3)]
    entries[1].created, entries[1].msecs = 1_700_000_000.0625, 62.5
    entries[2].exc_info = (ValueError, ValueError("bad"), None)

    assert [TextFormatter().format(entry) for entry in entries] == [usual.format(entry) for entry in entries]


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "\x9b31m", "\u2028", "\x85"])
def test_what_a_caller_wrote_cannot_begin_a_line_or_colour_one(text: str):
    line = TextFormatter().format(record("said %s", text))
    assert text not in line
    assert line.isprintable()
