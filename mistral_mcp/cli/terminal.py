"""What a person sees while a command works."""

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
    """A secret, typed without echo. Where stdin is no terminal, its next line, so that a script can pass one on."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, default="", show_default=False, err=True)).strip()
    return sys.stdin.readline().strip()


@contextmanager
def waiting(what: str) -> Generator[Callable[[str], None]]:
    """While something takes long: on a terminal a line that goes again, elsewhere a plain one now and then. On stderr."""
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
