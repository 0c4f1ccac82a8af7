"""Clients' own commands to add a server, for entries that they can write without exposing a secret."""

import subprocess
from collections.abc import Callable, Mapping
from itertools import chain

from mistral_mcp.install.deeplinks import vscode_definition
from mistral_mcp.install.entries import KEY_HEADER, Entry, command_of
from mistral_mcp.install.machine import Machine
from mistral_mcp.install.plan import InstallPlan


def add_command(plan: InstallPlan, new: Entry) -> list[str]:
    """The client's command for this entry; empty if it has none, or if it would expose a secret."""
    command = _COMMANDS.get(plan.host.name)
    if command is None or not plan.takes_key:
        return []
    return command(plan, new)


def run_command(machine: Machine, command: list[str]) -> bool:
    """Whether the command succeeded."""
    try:
        finished = subprocess.run(  # noqa: S603 - a program of the user's own, and no shell
            [machine.find_program(command[0]) or command[0], *command[1:]],
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


def _claude(plan: InstallPlan, new: Entry) -> list[str]:
    add = ["claude", "mcp", "add", "--scope", plan.scope, plan.name]
    if plan.url is not None:
        return [*add, plan.url, "--transport", "http", "--header", f"{KEY_HEADER}: {plan.reference}"]
    return [*add, *_variables(new), "--", *command_of(new)]


def _gemini(plan: InstallPlan, new: Entry) -> list[str]:
    add = ["gemini", "mcp", "add", "--scope", plan.scope, plan.name]
    if plan.url is not None:
        return [*add, plan.url, "--transport", "http", "--header", f"{KEY_HEADER}: {plan.reference}"]
    return [*add, *_variables(new), *command_of(new)]


def _variables(new: Entry) -> list[str]:
    flags = (("--env", f"{name}={value}") for name, value in new["env"].items())
    return [*chain.from_iterable(flags)]


def _vscode(plan: InstallPlan, new: Entry) -> list[str]:
    if plan.scope == "project":
        return []
    return ["code", "--add-mcp", vscode_definition(plan.name, new)]


_COMMANDS: Mapping[str, Callable[[InstallPlan, Entry], list[str]]] = {
    "claude-code": _claude,
    "gemini": _gemini,
    "vscode": _vscode,
}
