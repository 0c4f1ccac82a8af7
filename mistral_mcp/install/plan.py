"""Put an entry into a host, or take it out: through the host's own command where that shows no secret, else in its file."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from mistral_mcp.errors import BadSetting, CannotInstall
from mistral_mcp.install import documents
from mistral_mcp.install.hosts import (
    COMMAND,
    HOSTS,
    NAME,
    VARIABLE,
    Entry,
    Host,
    Machine,
    Scope,
    is_secret_url,
    remote_entry,
    starts,
    stdio_entry,
    uses_reference,
)
from mistral_mcp.install.snippets import vscode_definition
from mistral_mcp.route import LOOPBACK

PLACEHOLDER = "YOUR_MISTRAL_API_KEY"


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What is to be installed. Made by `plan`, which refuses what no host can have."""

    host: Host
    file: Path
    name: str = NAME
    url: str | None = None
    scope: Scope = "user"

    @property
    def reference(self) -> str | None:
        """The host's own words for the key from the environment."""
        return self.host.stdio_reference if self.url is None else self.host.remote_reference

    @property
    def takes_key(self) -> bool:
        """A secret URL needs none beside it."""
        return self.url is None or not is_secret_url(self.url)

    @property
    def must_ask(self) -> bool:
        """Whether the key must be asked for, because the host cannot refer to the environment."""
        return self.takes_key and self.reference is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, for a person."""

    how: Literal["unchanged", "file", "command"]
    file: Path
    backup: Path | None = None
    readable_by_others: bool = False
    """The file holds a key, and others on this machine may read it."""


def plan(
    machine: Machine, host: str, *, name: str = NAME, url: str | None = None, scope: Scope = "user"
) -> InstallPlan:
    """Check what is asked for. Raises `BadSetting`."""
    found = HOSTS[host]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        raise BadSetting("--name must be a letter, then letters, digits, - and _.")
    if url is not None:
        _check(url)
    if scope == "user":
        return InstallPlan(found, found.file(machine), name, url)
    if found.project is None:
        raise BadSetting(f"{found.title} has no servers of a project's own.", "Leave --scope out.")
    asked = InstallPlan(found, machine.project / found.project, name, url, scope)
    if asked.must_ask:
        raise BadSetting(
            f"A project's file is shared, and {found.title} can only take a key written into it.", "Leave --scope out."
        )
    if url is not None and is_secret_url(url):
        raise BadSetting("A project's file is shared, and this URL is a secret.", "Leave --scope out.")
    return asked


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.path.rstrip("/").endswith("/mcp"):
        raise BadSetting("--url must be the URL of an MCP endpoint, https://host/mcp or https://host/c/TOKEN/mcp.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise BadSetting(
            "--url: http:// is for this machine only, because the key would travel in the clear.", "Use https://."
        )
    if parts.username or parts.password:
        raise BadSetting("--url must hold no user and no password.")


def entry(machine: Machine, plan: InstallPlan, key: str | None = None) -> Entry:
    """The entry as this machine can run it."""
    if plan.url is not None:
        made = remote_entry(plan.host.name, plan.url, key=key)
        return made | _found(machine, plan, made)
    command: Sequence[str] = COMMAND
    found = shutil.which(COMMAND[0], path=machine.variables.get("PATH", ""))
    if found is None:
        command = (machine.python, "-m", "mistral_mcp")
    elif plan.host.bare_path and plan.scope == "user":
        command = (found, *COMMAND[1:])
    return stdio_entry(plan.host.name, command=command, key=key)


def _found(machine: Machine, plan: InstallPlan, made: Entry) -> Entry:
    """The bridge's program with its folder, where the host would not find it."""
    found = shutil.which("npx", path=machine.variables.get("PATH", ""))
    return {"command": found} if plan.host.bare_path and "command" in made and found else {}


def preview(machine: Machine, plan: InstallPlan) -> str:
    """A file with this entry alone, and a placeholder where a key would be."""
    return documents.rendered(plan.host, plan.name, entry(machine, plan, PLACEHOLDER if plan.must_ask else None))


def install(machine: Machine, plan: InstallPlan, key: str | None = None) -> Outcome:
    """Put the entry in; nothing changes where it is there already. Raises `CannotInstall`, leaving the file as it is."""
    new = entry(machine, plan, key)

    def change(text: str) -> str:
        old = _own(plan, text)
        same_kind = plan.url is None and old is not None and not _url_of(old)
        return documents.changed(plan.host, text, plan.name, documents.updated(old, new, same_kind=same_kind))

    text = _text(plan.file)
    if change(text) == text and text:
        return Outcome("unchanged", plan.file)
    if key is None and documents.entry_in(plan.host, text, plan.name) is None:
        command = _command(plan, new)
        program = shutil.which(command[0], path=machine.variables.get("PATH", "")) if command else None
        if program is not None:
            backup = _back_up(plan.file)
            if _ran(machine, [program, *command[1:]]) and _own(plan, _text(plan.file)) is not None:
                return Outcome("command", plan.file, backup)
            if backup is not None and backup.read_bytes() == _bytes(plan.file):
                backup.unlink()
    return _rewrite(plan, change, secret=key is not None or not plan.takes_key)


def remove(plan: InstallPlan) -> Outcome:
    """Take the entry out, if it is there. Raises `CannotInstall`, leaving the file as it is."""

    def change(text: str) -> str:
        found = documents.entry_in(plan.host, text, plan.name)
        if found is None or not _sends_our_key(plan, found):
            _own(plan, text)
        return documents.changed(plan.host, text, plan.name, None)

    return _rewrite(plan, change, secret=False)


def summary(plan: InstallPlan, outcome: Outcome, *, removed: bool = False) -> str:
    """What was done, in a few sentences."""
    if outcome.how == "unchanged":
        return (
            f"{outcome.file} {'has no entry' if removed else 'has the entry'} {plan.name} already; nothing was changed."
        )
    lines = [
        f"{plan.host.title} no longer knows {plan.name}." if removed else f"{plan.host.title} knows {plan.name} now."
    ]
    lines += [f"Changed: {outcome.file}" + (" (by the host's own command)" if outcome.how == "command" else "")]
    lines += [f"What it was: {outcome.backup}"] if outcome.backup else []
    lines += (
        [f"It holds a secret, and others on this machine can read it: chmod 600 {outcome.file}"]
        if outcome.readable_by_others
        else []
    )
    if not removed:
        lines += [plan.host.after]
        if plan.takes_key and plan.reference and "MISTRAL_API_KEY" in plan.reference:
            lines += [
                "It takes the key from MISTRAL_API_KEY in its environment; --ask-key keeps one in its file instead."
            ]
    return "\n".join(lines)


def _own(plan: InstallPlan, text: str) -> Entry | None:
    """The entry of that name, if it is one of this server's. Raises `CannotInstall` for somebody else's."""
    found = documents.entry_in(plan.host, text, plan.name)
    if found is None or _is_ours(plan, found):
        return found
    raise CannotInstall(
        f"Another server is called {plan.name} there, and stays as it is.", "Give this one another name with --name."
    )


def _url_of(found: Entry) -> str:
    """Where an entry leads; empty for one that starts the server here."""
    arguments: Any = found.get("args") or []
    bridged = (str(argument) for argument in arguments if "://" in str(argument) and starts(found) == "npx")
    named = (str(found[key]) for key in ("url", "serverUrl", "uri", "httpUrl") if found.get(key))
    return next(named, next(bridged, ""))


def _is_ours(plan: InstallPlan, found: Entry) -> bool:
    arguments: Any = found.get("args") or []
    if url := _url_of(found):
        return url == plan.url or "/c/mmcp_" in url
    if starts(found) in {"npx", "node", "bunx", "deno"}:
        return False  # npm has a package of this name, by somebody else
    return "mistral-mcp" in {starts(found), *arguments} or "mistral_mcp" in arguments


def _sends_our_key(plan: InstallPlan, found: Entry) -> bool:
    """Whether it leads to an endpoint as `--url` takes them, with the key by the reference that is written here."""
    return _url_of(found).partition("?")[0].rstrip("/").endswith("/mcp") and uses_reference(plan.host, found)


def _command(plan: InstallPlan, new: Entry) -> list[str]:
    """The host's own command for this entry; none where it has none, or where a secret would show in it."""
    command = _COMMANDS.get(plan.host.name)
    return command(plan, new) if command and plan.takes_key else []


def _claude(plan: InstallPlan, new: Entry) -> list[str]:
    add = ["claude", "mcp", "add", "--scope", plan.scope, plan.name]
    if plan.url is None:
        return [*add, "--env", f"{VARIABLE}={plan.reference}", "--", new["command"], *new["args"]]
    return [*add, plan.url, "--transport", "http", "--header", f"Authorization: Bearer {plan.reference}"]


def _gemini(plan: InstallPlan, new: Entry) -> list[str]:
    add = ["gemini", "mcp", "add", "--scope", plan.scope, plan.name]
    if plan.url is None:
        return [*add, "--env", f"{VARIABLE}={plan.reference}", new["command"], *new["args"]]
    return [*add, plan.url, "--transport", "http", "--header", f"Authorization: Bearer {plan.reference}"]


def _codex(plan: InstallPlan, _: Entry) -> list[str]:
    """Its command can forward no variable to a program."""
    if plan.url is None or plan.scope == "project":
        return []
    return ["codex", "mcp", "add", plan.name, "--url", plan.url, "--bearer-token-env-var", VARIABLE]


def _vscode(plan: InstallPlan, new: Entry) -> list[str]:
    return ["code", "--add-mcp", vscode_definition(plan.name, new)] if plan.scope == "user" else []


_COMMANDS: Mapping[str, Callable[[InstallPlan, Entry], list[str]]] = {
    "claude-code": _claude,
    "gemini": _gemini,
    "codex": _codex,
    "vscode": _vscode,
}


def _ran(machine: Machine, command: list[str]) -> bool:
    try:
        finished = subprocess.run(  # noqa: S603 - a program of the user's own, and no shell
            command,
            cwd=machine.project,
            env=dict(machine.variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _text(file: Path) -> str:
    try:
        return (_bytes(file) or b"").removeprefix(_MARK).decode()
    except UnicodeDecodeError:
        raise CannotInstall("The file is not UTF-8.", "Mend it first.") from None
    except OSError as error:
        raise CannotInstall(f"{file} cannot be read: {error.strerror}.") from None


_MARK = b"\xef\xbb\xbf"
"""What some editors on Windows put first."""


def _rewrite(plan: InstallPlan, change: Callable[[str], str], *, secret: bool) -> Outcome:
    """Change the file in one move, with a copy of what it was beside it."""
    file = Path(os.path.realpath(plan.file))  # a link stays a link
    before = _text(file)
    after = change(before)
    if after == before:
        return Outcome("unchanged", plan.file)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        backup = _back_up(file)
        mode = _replace(file, before, after)
    except OSError as error:
        raise CannotInstall(f"{plan.file} cannot be written: {error.strerror}.") from None
    return Outcome("file", plan.file, backup, readable_by_others=secret and os.name == "posix" and bool(mode & 0o077))


def _back_up(file: Path) -> Path | None:
    """A copy beside the file, as private as the file is."""
    if not file.exists():
        return None
    file = Path(os.path.realpath(file))
    stamp = time.strftime("%Y%m%d-%H%M%S")
    count = 0
    while True:
        backup = file.with_name(f"{file.name}.{stamp}{f'-{count}' if count else ''}.bak")
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            count += 1
            continue
        with os.fdopen(descriptor, "wb") as out:
            out.write(file.read_bytes())
        _same_owner_and_mode(backup, file.stat())
        return backup


def _replace(file: Path, before: str, after: str) -> int:
    """Write beside it and rename. The mode stays; a new file is the user's alone."""
    was = file.stat() if file.exists() else None
    mark = _MARK if (_bytes(file) or b"").startswith(_MARK) else b""
    descriptor, beside = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(mark + after.encode())
            out.flush()
            os.fsync(out.fileno())
        if was is not None:
            _same_owner_and_mode(Path(beside), was)
        _check_unchanged(file, before)
        Path(beside).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise
    return stat.S_IMODE(file.stat().st_mode)


def _check_unchanged(file: Path, before: str) -> None:
    if _text(file) != before:
        raise CannotInstall("The file was changed meanwhile, by something else.", "Try again.")


def _same_owner_and_mode(file: Path, was: os.stat_result) -> None:
    file.chmod(stat.S_IMODE(was.st_mode))
    if hasattr(os, "chown") and (was.st_uid, was.st_gid) != (file.stat().st_uid, file.stat().st_gid):
        with suppress(PermissionError):
            os.chown(file, was.st_uid, was.st_gid)
