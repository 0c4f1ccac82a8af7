"""Add or remove an entry: with the client's own command if it exposes no secret, else in its file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mistral_mcp.install import config_files, documents
from mistral_mcp.install.entries import VARIABLE, command_of
from mistral_mcp.install.host_commands import add_command, run_command
from mistral_mcp.install.machine import Machine
from mistral_mcp.install.ownership import holds_secret, literal_key, merge, own_entry
from mistral_mcp.install.plan import PLACEHOLDER, InstallPlan


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an installation or removal."""

    how: Literal["unchanged", "file", "command"]
    backup: Path | None = None
    backup_holds_secret: bool = False
    kept_key: bool = False
    """Whether the key in the existing entry was kept."""


def check(plan: InstallPlan) -> None:
    """Raise what `install` would raise for this file, before asking for a secret."""
    text = config_files.read_text(plan.file)
    _text_with_entry(plan, text, PLACEHOLDER)


def install(machine: Machine, plan: InstallPlan, key: str | None = None) -> Outcome:
    """Add the entry; nothing changes if it exists already. Raises `CannotInstall`, leaving the file as it is."""
    text = config_files.read_text(plan.file)
    old = own_entry(plan, text)
    new_text = _text_with_entry(plan, text, key)
    if new_text == text and text:
        return Outcome("unchanged")
    if old is None and key is None:
        outcome = _install_by_command(machine, plan)
        if outcome is not None:
            return outcome
    secret = holds_secret(plan, new_text)
    was_secret = holds_secret(plan, text)
    backup = config_files.rewrite(plan.file, text, new_text, private=secret, private_backup=was_secret)
    kept_key = key is None and secret and plan.takes_key
    return Outcome("file", backup, backup is not None and was_secret, kept_key)


def remove(plan: InstallPlan) -> Outcome:
    """Remove the entry, if it exists. Raises `CannotInstall`, leaving the file as it is."""
    text = config_files.read_text(plan.file)
    own_entry(plan, text)
    new_text = documents.change(plan.host, text, plan.name, None)
    if new_text == text:
        return Outcome("unchanged")
    was_secret = holds_secret(plan, text)
    backup = config_files.rewrite(plan.file, text, new_text, private=False, private_backup=was_secret)
    return Outcome("file", backup, was_secret)


def _text_with_entry(plan: InstallPlan, text: str, key: str | None) -> str:
    old = own_entry(plan, text)
    return documents.change(plan.host, text, plan.name, merge(plan, old, key))


def _install_by_command(machine: Machine, plan: InstallPlan) -> Outcome | None:
    """Let the client add the entry; None if it has no command, or the command failed."""
    command = add_command(plan, plan.entry())
    if not command or machine.find_program(command[0]) is None:
        return None
    backup = config_files.back_up(plan.file, private=False)
    if run_command(machine, command) and own_entry(plan, config_files.read_text(plan.file)) is not None:
        return Outcome("command", backup)
    if backup is not None and config_files.is_unchanged(plan.file, backup):
        backup.unlink()
    return None


def summary(machine: Machine, plan: InstallPlan, outcome: Outcome, *, removed: bool = False) -> str:
    """A summary of the changes and the next steps."""
    name, title = plan.name, plan.host.title
    if outcome.how == "unchanged":
        state = {True: "has no entry", False: "has the entry"}[removed]
        return f"{plan.file} {state} {name} already; nothing was changed."
    done = {True: f"Removed {name} from", False: f"Added {name} to"}[removed]
    by = {"command": f" (by {title}'s own command)"}.get(outcome.how, "")
    lines = [f"{done} {title}.", f"Changed: {plan.file}{by}"]
    if outcome.backup:
        lines.append(f"Backup: {outcome.backup}")
    if outcome.backup_holds_secret:
        lines.append("The backup holds the key in plain text: delete it when you no longer need it.")
    if not removed:
        lines += _next_steps(machine, plan, outcome)
    return "\n".join(lines)


def _next_steps(machine: Machine, plan: InstallPlan, outcome: Outcome) -> list[str]:
    title = plan.host.title
    lines: list[str] = []
    if plan.url is None:
        lines.append(f"It starts: {' '.join(command_of(plan.example()))}")
    if not plan.host_found:
        lines.append(f"{title} was not found on this machine: the entry is ready for when it is installed.")
    if plan.scope == "project" and plan.url is None:
        lines.append(f"Everyone who uses the project needs {plan.command[0]} on PATH.")
    lines.append(plan.host.after)
    if outcome.kept_key:
        lines.append("The key in the file was kept.")
    elif plan.takes_key and literal_key(own_entry(plan, config_files.read_text(plan.file)) or {}) is None:
        lines += _about_the_key(machine, plan)
    return lines


def _about_the_key(machine: Machine, plan: InstallPlan) -> list[str]:
    """Where the key comes from, for an entry without one."""
    title = plan.host.title
    if plan.must_ask:
        return [f"The entry holds no key yet: run this again, or set {VARIABLE} where {title} is started."]
    if plan.host.after_reference:
        return [plan.host.after_reference]
    lines = [
        f"{title} takes the key from {VARIABLE} in its environment; --ask-key stores one in its file instead."
    ]
    if not machine.variables.get(VARIABLE):
        lines.append(f"{VARIABLE} is not set here: set it where {title} is started, or the server has no key.")
    return lines
