"""Files of the machine the server runs on: only inside FILES_DIR, only where the operator has set it.

The path comes from a caller, and other processes may change the folder meanwhile. So the checks are of what was opened: each
part of the path is opened relative to the one before, no link is followed, and the open file itself is examined.
"""

import errno
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from typing import BinaryIO

import anyio.to_thread

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.multipart import FilePart

_AT_ONCE = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether the system can open files relative to an open folder, and refuse links: all but Windows."""


@asynccontextmanager
async def open_local_file(
    folder: Path | None, path: str, *, max_bytes: int, name: str | None = None
) -> AsyncGenerator[FilePart]:
    """Open a file of the folder, to be uploaded under its own name or another. Raises `BadArgument`."""
    handle, size = await anyio.to_thread.run_sync(_open, folder, path)
    try:
        if size > max_bytes:
            raise BadArgument(
                f"The file is larger than the {max_bytes // 1024 // 1024} MB that Mistral takes.",
                "Send a part of it.",
            )
        yield FilePart(name or PurePath(path).name, handle, size)
    finally:
        handle.close()


def _open(folder: Path | None, path: str) -> tuple[BinaryIO, int]:
    if folder is None:
        raise BadArgument("This server reads no local files.", "Give the content itself.")
    parts = _parts(folder, path)
    try:
        if _AT_ONCE:
            descriptor = _walk(folder, parts)
        else:
            descriptor = _resolve(folder, parts)
    except OSError as error:
        raise _refusal(error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BadArgument("path is not a regular file.", "Name a file in the server's folder.")
    return os.fdopen(descriptor, "rb"), status.st_size


def _parts(folder: Path, path: str) -> tuple[str, ...]:
    """The names on the way from the folder to the file."""
    asked = PurePath(path)
    if asked.is_absolute():
        home = next((known for known in (folder, folder.resolve()) if asked.is_relative_to(known)), None)
        if home is None:
            raise _outside()
        asked = asked.relative_to(home)
    if ".." in asked.parts or "\0" in path or asked.anchor:
        raise _outside()
    if not asked.parts:
        raise BadArgument("path does not name a file.", "Name a file in the server's folder.")
    return asked.parts


def _walk(folder: Path, parts: tuple[str, ...]) -> int:
    """Open folder after folder, then the file. Without O_NONBLOCK, opening a pipe would block."""
    inside = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    here = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            there = os.open(part, inside | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = there
        return os.open(parts[-1], inside | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)


def _resolve(folder: Path, parts: tuple[str, ...]) -> int:
    """Like `_walk` where folders have no descriptors: links are resolved first, and must not lead out of the folder."""
    file = folder.joinpath(*parts).resolve(strict=True)
    if not file.is_relative_to(folder.resolve(strict=True)) or not file.is_file():
        raise _outside()
    return os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0))


def _outside() -> BadArgument:
    return BadArgument("path leads out of the server's folder.", "Name a file in it, relative to the folder.")


def _refusal(error: OSError) -> BadArgument:
    if error.errno == errno.ENOENT:
        return BadArgument(
            "There is no such file in the server's folder.", "Check path; it is relative to the folder."
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return BadArgument(
            "The server may not read this file.", "Have its permissions changed, or send the content."
        )
    # A link, or a file in place of a folder.
    return BadArgument(
        "path is not a regular file, or leads through a link.", "Name a file in the server's folder."
    )
