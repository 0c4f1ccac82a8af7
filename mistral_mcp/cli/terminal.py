"""Progress and prompts on the terminal."""

import logging
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import click

REPORT_INTERVAL = 5.0  # seconds between plain lines, where a person waits without a terminal


def ask_secret(what: str) -> str:
    """Ask for a secret without echo. If stdin is not a terminal, read its next line, so that scripts can pass one."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, default="", show_default=False, err=True)).strip()
    return sys.stdin.readline().strip()


@contextmanager
def waiting(what: str) -> Generator[Callable[[str], None]]:
    """Show progress on stderr: on a terminal a temporary line, elsewhere a plain one at intervals."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _plain_reports()
        return

    from rich.console import Console  # noqa: PLC0415

    logs: list[Any] = [
        handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)
    ]
    with Console(stderr=True).status(f"{what}…") as status:
        before = [handler.setStream(sys.stderr) for handler in logs]  # rich's for now, which writes above the line
        try:
            yield lambda text: status.update(f"{text}…")
        finally:
            for handler, stream in zip(logs, before, strict=True):
                handler.setStream(stream)


def _plain_reports() -> Callable[[str], None]:
    last = time.monotonic()

    def report(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_INTERVAL:
            last = time.monotonic()
            click.echo(f"{text}…", err=True)

    return report
