"""`mistral-mcp install`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from mistral_mcp.cli.environment import settings_from
from mistral_mcp.cli.options import PREFIX, option, settings_options
from mistral_mcp.cli.terminal import ask_secret, waiting
from mistral_mcp.errors import BadSetting, CannotInstall

if TYPE_CHECKING:
    from mistral_mcp.install import Machine, Scope
    from mistral_mcp.install.plan import InstallPlan

_IN_THE_ENTRY = ("toolsets", "read_only", "files_dir", "route")


def _hosts(_context: object = None, _parameter: object = None, incomplete: str = "") -> list[str]:
    """The hosts that `install` knows; for a shell, those that begin so."""
    from mistral_mcp.install import HOSTS  # noqa: PLC0415

    return [host for host in HOSTS if host.startswith(incomplete)]


@click.command()
@click.argument("host", shell_complete=_hosts)
@option(
    "--url",
    variable="INSTALL_URL",
    about="Connect to this URL instead of starting a local process; - prompts without echo.",
    metavar="URL",
)
@option(
    "--name",
    variable="INSTALL_NAME",
    about="Name of the server in the client.",
    default="mistral",
    show_default=True,
)
@option(
    "--scope",
    variable="INSTALL_SCOPE",
    about="Install for the user or the project.",
    type=click.Choice(["user", "project"]),
    default="user",
    show_default=True,
)
@settings_options(*_IN_THE_ENTRY)
@click.option("--ask-key", is_flag=True, help="Prompt for the key and store it in the client's file.")
@click.option("--print", "only_print", is_flag=True, help="Show the entry and change nothing.")
@click.option("--remove", is_flag=True, help="Remove the entry.")
def install(
    host: str,
    url: str | None,
    name: str,
    scope: "Scope",
    *,
    ask_key: bool,
    only_print: bool,
    remove: bool,
    **given: object,
) -> None:
    """Add this server to an MCP client.

    With the client's own command if it has one, else by editing its config file (a backup is kept).

    HOST is claude-desktop, claude-code, cursor, vscode, codex, gemini, zed, windsurf, goose, lmstudio, vibe,
    copilot-cli, opencode or cline.

    The key stays in MISTRAL_API_KEY where the client can refer to it; other clients store it, and it is asked for
    without echo. The toolsets, read-only, files-dir and route that are set go into the entry.
    """
    from mistral_mcp.install import Machine, start_command  # noqa: PLC0415
    from mistral_mcp.install.plan import plan as make_plan  # noqa: PLC0415

    if host not in _hosts():
        raise BadSetting(f"There is no host {host} here.", f"Name one of {', '.join(_hosts())}.")
    environment = dict(os.environ)
    command, portable = start_command(sys.argv[0], sys.executable, environment)
    machine = Machine(sys.platform, Path.home(), Path.cwd(), command, portable, environment)
    unseen = url == "-"
    if unseen:
        url = ask_secret("URL (not shown)")
    environ: Mapping[str, str] = {}
    if url is None and scope == "user":
        environ = environment
    settings = _settings_for_entry(environ, given, scope)
    plan = make_plan(machine, host, name=name, url=url, scope=scope, settings=settings)
    if ask_key and scope == "project":
        raise BadSetting("A project's file is shared; a key does not belong in it.", "Leave --ask-key out.")
    preview = plan.preview()
    if unseen and plan.url:
        preview = preview.replace(plan.url, "YOUR_URL")
    if only_print:
        click.echo(f"For {plan.file}:", err=True)
        click.echo(preview)
        return
    try:
        click.echo(_carry_out(machine, plan, ask_key=ask_key, remove=remove))
    except CannotInstall as error:
        click.echo(f"mistral-mcp: {plan.file}: {error}", err=True)
        if error.by_hand and not remove:
            click.echo(preview)
        sys.exit(1)


def _carry_out(machine: "Machine", plan: "InstallPlan", *, ask_key: bool, remove: bool) -> str:
    from mistral_mcp.install import apply  # noqa: PLC0415

    if remove:
        return apply.summary(machine, plan, apply.remove(plan), removed=True)
    apply.check(plan)
    key = None
    if plan.takes_key and (ask_key or plan.must_ask):
        key = _ask_for_key(plan.url)
    with waiting(f"Adding the server to {plan.host.title}"):
        outcome = apply.install(machine, plan, key)
    return apply.summary(machine, plan, outcome)


def _settings_for_entry(environ: Mapping[str, str], given: Mapping[str, object], scope: "Scope") -> dict[str, str]:
    """The settings that go into the entry, as text: the options, and for the user's own entry the environment's."""
    from mistral_mcp.selection import AllowedToolsets  # noqa: PLC0415

    wanted = [name for name in _IN_THE_ENTRY if given[name] is not None or environ.get(PREFIX + name.upper())]
    needed = {name: value for name, value in environ.items() if name == PREFIX + "ROUTE_TOKEN"}
    needed |= {PREFIX + name.upper(): environ.get(PREFIX + name.upper(), "") for name in wanted}
    settings = settings_from(needed, given)
    AllowedToolsets.of(settings)  # refuses what a start would refuse
    text = {
        "toolsets": ",".join(settings.toolsets or ()),
        "read_only": str(settings.read_only).lower(),
        "route": str(settings.route),
        "files_dir": "",
    }
    if settings.files_dir is not None:
        if scope == "user" and not settings.files_dir.is_dir():
            raise BadSetting("--files-dir cannot be used: there is no such folder.")
        folder = settings.files_dir
        if scope == "user":
            folder = folder.absolute()
        text["files_dir"] = str(folder)
    return {name: text[name] for name in wanted}


def _ask_for_key(url: str | None) -> str | None:
    """A key, typed without echo. A remote endpoint takes a connection's token as well."""
    from mistral_mcp.credentials import is_token, validate_user_key  # noqa: PLC0415

    what = "Mistral API key"
    if url:
        what += ", or a connection's token"
    key = SecretStr(ask_secret(f"{what} (not shown; empty: leave it as it is)"))
    if not key.get_secret_value():
        return None
    if not is_token(key):
        validate_user_key(key, "the prompt")
    elif url is None:
        raise BadSetting("That is a connection's token, not a key.", "Give the server's address with --url.")
    return key.get_secret_value()
