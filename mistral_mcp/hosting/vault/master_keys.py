"""Loads the master keys: from MASTER_KEYS, or from a file that is created once."""

import logging
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from mistral_mcp.errors import BadSetting
from mistral_mcp.hosting.vault import database_failures as failures
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.settings import Settings

FILE = "master.key"
_DISTINCT_BYTES = 8  # of 32 random bytes, some 30 differ

_log = logging.getLogger(__name__)


def find(settings: Settings, data_dir: Path, in_use: Mapping[str, int], *, is_shared: bool) -> MasterKeys:
    """The key ring. `in_use`: the number of tokens on each key; `is_shared`: whether other machines use the database too.

    Raises `BadSetting` rather than start with keys that open nothing; then nothing is lost or created.
    """
    if settings.master_keys:
        where, keys = "MASTER_KEYS", [key.get_secret_value() for key in settings.master_keys]
    elif is_shared:
        raise BadSetting(
            "With Postgres, MASTER_KEYS must be set: every replica needs the same.",
            "Create one with `openssl rand -hex 32`, and keep it separate from the database and its backups.",
        )
    else:
        where, keys = str(data_dir / FILE), _read_file(data_dir / FILE, in_use)
    ring = MasterKeys([bytes.fromhex(key) for key in keys])
    _check_strength(where, keys, in_use)
    missing = {key_id: count for key_id, count in in_use.items() if key_id not in ring}
    if missing and len(missing) == len(in_use):
        raise BadSetting(
            f"{where} opens none of the stored connections: {_describe_counts(missing)}.",
            "Restore the right key; nothing is lost.",
        )
    if missing:
        _log.warning("%s opens some stored connections, but not all: %s.", where, _describe_counts(missing))
    return ring


def _check_strength(where: str, keys: list[str], in_use: Mapping[str, int]) -> None:
    """Refuse a key of zeros, or of one repeated pattern. Raises `BadSetting`, unless connections need it."""
    weak = [key for key in keys if len(set(bytes.fromhex(key))) < _DISTINCT_BYTES]
    if not weak:
        return
    if not in_use and keys[0] in weak:
        raise BadSetting(
            f"The first key of {where} can be guessed.",
            "Create one with `openssl rand -hex 32`; nothing was stored.",
        )
    _log.warning("%s holds a key that can be guessed: put a random one before it, and reseal.", where)


def _describe_counts(tokens: Mapping[str, int]) -> str:
    return ", ".join(f"{count} on master key {key_id}" for key_id, count in tokens.items())


def _read_file(path: Path, in_use: Mapping[str, int]) -> list[str]:
    with failures.at_start(str(path)):
        try:
            text = path.read_text(encoding="ascii")
        except UnicodeDecodeError:
            text = ""
        except FileNotFoundError:
            if in_use:
                raise BadSetting(
                    f"There is no {path}, and the stored connections need it: {_describe_counts(in_use)}.",
                    "Restore it, or set MASTER_KEYS; nothing is lost.",
                ) from None
            _create_file(path)
            text = path.read_text(encoding="ascii")
        if os.name == "posix" and path.stat().st_mode & 0o077:
            _log.warning("%s can be read by other users of this machine: chmod 600 it.", path)
    keys = text.replace(",", " ").split()
    if not keys or not all(re.fullmatch(r"[0-9a-fA-F]{64}", key) for key in keys):
        raise BadSetting(f"{path} holds no master key.", "It is 64 hex digits; restore the right file.")
    return keys


def _create_file(path: Path) -> None:
    """Create the file atomically, and only once if several processes start at the same time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    _log.warning(
        "Created a master key, %s: back it up, separately from the database. Without it no connection can be opened.",
        path,
    )
