"""Reads a client's config file, and replaces it atomically, with a backup."""

import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from mistral_mcp.errors import CannotInstall

_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some editors on Windows write."""
_PRIVATE = 0o600


def read_text(file: Path) -> str:
    """The file's text; empty if it does not exist. Raises `CannotInstall`."""
    try:
        return (_bytes(file) or b"").removeprefix(_MARK).decode()
    except UnicodeDecodeError:
        raise CannotInstall("The file is not UTF-8.", "Fix the file and run this again.") from None
    except OSError as error:
        raise CannotInstall(f"{file} cannot be read: {error.strerror}.") from None


def is_unchanged(file: Path, backup: Path) -> bool:
    """Whether the file still equals its backup."""
    return backup.read_bytes() == _bytes(file)


def rewrite(file: Path, before: str, after: str, *, private: bool, private_backup: bool) -> Path | None:
    """Replace the text; returns the backup. `private`: readable by the user only, from now on. Raises `CannotInstall`."""
    real = Path(os.path.realpath(file))  # a link is followed, not replaced
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        backup = back_up(real, private=private_backup)
        _replace(real, before, after, private=private)
    except OSError as error:
        raise CannotInstall(f"{file} cannot be written: {error.strerror}.") from None
    return backup


def back_up(file: Path, *, private: bool) -> Path | None:
    """Copy the file, with permissions that are as strict, or stricter."""
    if not file.exists():
        return None
    file = Path(os.path.realpath(file))
    stamp = time.strftime("%Y%m%d-%H%M%S")
    count = 0
    while True:
        backup = file.with_name(f"{file.name}.{stamp}.bak")
        if count:
            backup = file.with_name(f"{file.name}.{stamp}-{count}.bak")
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        except FileExistsError:
            count += 1
            continue
        with os.fdopen(descriptor, "wb") as out:
            out.write(file.read_bytes())
        _copy_owner_and_mode(backup, file.stat(), private=private)
        return backup


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _replace(file: Path, before: str, after: str, *, private: bool) -> None:
    """Write a temporary file and rename it. A new file is readable by the user only."""
    content = (_bytes(file) or b"")[: len(_MARK)]
    mark = content.removesuffix(content.removeprefix(_MARK))
    descriptor, beside = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(mark + after.encode())
            out.flush()
            os.fsync(out.fileno())
        if file.exists():
            _copy_owner_and_mode(Path(beside), file.stat(), private=private)
        _check_same_text(file, before)
        Path(beside).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise


def _check_same_text(file: Path, before: str) -> None:
    if read_text(file) != before:
        raise CannotInstall("Another program changed the file meanwhile.", "Try again.")


def _copy_owner_and_mode(file: Path, was: os.stat_result, *, private: bool) -> None:
    mode = stat.S_IMODE(was.st_mode)
    if private:
        mode &= _PRIVATE
    file.chmod(mode)
    if hasattr(os, "chown") and (was.st_uid, was.st_gid) != (file.stat().st_uid, file.stat().st_gid):
        with suppress(PermissionError):
            os.chown(file, was.st_uid, was.st_gid)
