"""Put an entry into a host, or take it out: through the host's own command where that shows no secret, else in its file."""

import shutil
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
    """What was done."""

    how: Literal["unchanged", "file", "command"]
    backup: Path | None = None
    backup_holds_secret: bool = False
    kept_key: bool = False
    """The key that was written in the entry stayed there."""


def check(plan: InstallPlan) -> None:
    """Raise what `install` would raise for this file, before anybody is asked for a secret."""
    text = config_files.read_text(plan.file)
    _text_with_entry(plan, text, PLACEHOLDER if plan.takes_key else None)


def install(machine: Machine, plan: InstallPlan, key: str | None = None) -> Outcome:
    """Put the entry in; nothing changes where it is there already. Raises `CannotInstall`, leaving the file as it is."""
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
    """Take the entry out, if it is there. Raises `CannotInstall`, leaving the file as it is."""
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
    """Let the host add the entry; None where it has no command, or its command did not do it."""
    command = add_command(plan, plan.entry())
    program = shutil.which(command[0], path=machine.variables.get("PATH", "")) if command else None
    if program is None:
        return None
    backup = config_files.back_up(plan.file, private=False)
    if run_command(machine, [program, *command[1:]]) and own_entry(plan, config_files.read_text(plan.file)) is not None:
        return Outcome("command", backup)
    if backup is not None and config_files.is_unchanged(plan.file, backup):
        backup.unlink()
    return None


def summary(machine: Machine, plan: InstallPlan, outcome: Outcome, *, removed: bool = False) -> str:
    """What was done, and what comes next, in a few sentences."""
    name, title = plan.name, plan.host.title
    if outcome.how == "unchanged":
        state = "has no entry" if removed else "has the entry"
        return f"{plan.file} {state} {name} already; nothing was changed."
    lines = [f"Removed {name} from {title}." if removed else f"Added {name} to {title}."]
    by = f" (by {title}'s own command)" if outcome.how == "command" else ""
    lines.append(f"Changed: {plan.file}{by}")
    if outcome.backup:
        lines.append(f"Backup: {outcome.backup}")
    if outcome.backup_holds_secret:
        lines.append("The backup holds the key in the clear: delete it when you no longer need it.")
    return "\n".join(lines if removed else [*lines, *_next_steps(machine, plan, outcome)])


def _next_steps(machine: Machine, plan: InstallPlan, outcome: Outcome) -> list[str]:
    title = plan.host.title
    entry = plan.entry(PLACEHOLDER if plan.must_ask else None)
    lines = [f"It starts: {' '.join(command_of(entry))}"] if plan.url is None else []
    if not plan.host_found:
        lines.append(f"{title} was not found on this machine: the entry waits for it.")
    lines.append(plan.host.after)
    own = own_entry(plan, config_files.read_text(plan.file)) or {}
    if outcome.kept_key:
        lines.append("The key that was in the file stayed there.")
    elif plan.takes_key and literal_key(own) is None and plan.reference:
        lines += [plan.host.after_reference] if plan.host.after_reference else _about_the_variable(machine, title)
    elif plan.must_ask and literal_key(own) is None:
        lines.append(f"The entry holds no key yet: run this again, or set {VARIABLE} where {title} is started.")
    return lines


def _about_the_variable(machine: Machine, title: str) -> list[str]:
    lines = [f"{title} takes the key from {VARIABLE} in its environment; --ask-key stores one in its file instead."]
    if not machine.variables.get(VARIABLE):
        lines.append(f"{VARIABLE} is not set here: set it where {title} is started, or the server has no key.")
    return lines
