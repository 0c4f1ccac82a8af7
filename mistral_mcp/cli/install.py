"""`mistral-mcp install`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from mistral_mcp.cli.options import option
from mistral_mcp.cli.terminal import waiting
from mistral_mcp.errors import BadSetting, CannotInstall

if TYPE_CHECKING:
    from mistral_mcp.install.hosts import Scope


def _hosts(_context: object = None, _parameter: object = None, begun: str = "") -> list[str]:
    """The hosts that `install` knows; for a shell, those that begin so."""
    from mistral_mcp.install import HOSTS  # noqa: PLC0415

    return [host for host in HOSTS if host.startswith(begun)]


@click.command()
@click.argument("host", shell_complete=_hosts)
@option(
    "--url",
    variable="INSTALL_URL",
    about="Connect to this URL instead of starting a local process; - prompts without echo.",
    metavar="URL",
)
@option(
    "--name", variable="INSTALL_NAME", about="Name of the server in the client.", default="mistral", show_default=True
)
@option(
    "--scope",
    variable="INSTALL_SCOPE",
    about="Install for the user or the project.",
    type=click.Choice(["user", "project"]),
    default="user",
    show_default=True,
)
@click.option(
    "--ask-key", is_flag=True, help="Ask for the key, and keep it in the host's file rather than refer to it."
)
@click.option("--print", "only_print", is_flag=True, help="Show the entry and change nothing.")
@click.option("--remove", is_flag=True, help="Take the entry out again.")
def install(
    host: str, url: str | None, name: str, scope: "Scope", *, ask_key: bool, only_print: bool, remove: bool
) -> None:
    """Add this server to an MCP client, with the client's own command if it has one, else by editing its config file (a
    backup is kept).

    HOST is claude-desktop, claude-code, cursor, vscode, codex, gemini, zed, windsurf, goose, lmstudio or vibe.

    The key stays in MISTRAL_API_KEY where the host can refer to it; other hosts hold it, and it is asked for unseen.
    """
    from mistral_mcp.install import Machine  # noqa: PLC0415
    from mistral_mcp.install import plan as plans  # noqa: PLC0415

    if host not in _hosts():
        raise BadSetting(f"There is no host {host} here.", f"Name one of {', '.join(_hosts())}.")
    machine = Machine(sys.platform, Path.home(), Path.cwd(), sys.executable, dict(os.environ))
    unseen = url == "-"
    if unseen:
        url = str(click.prompt("URL (not shown)", hide_input=True, err=True)).strip()
    plan = plans.plan(machine, host, name=name, url=url, scope=scope)
    preview = plans.preview(machine, plan)
    preview = preview.replace(url, "YOUR_URL") if unseen and url else preview
    if only_print:
        click.echo(f"For {plan.file}:", err=True)
        click.echo(preview)
        return
    try:
        if remove:
            click.echo(plans.summary(plan, plans.remove(plan), removed=True))
            return
        if ask_key and scope == "project":
            raise BadSetting("A project's file is shared; a key does not belong in it.", "Leave --ask-key out.")
        key = _ask_for_key(url) if plan.takes_key and (ask_key or plan.must_ask) else None
        with waiting(f"Adding the server to {plan.host.title}"):
            outcome = plans.install(machine, plan, key)
        click.echo(plans.summary(plan, outcome))
    except CannotInstall as error:
        click.echo(f"mistral-mcp: {plan.file}: {error}", err=True)
        if error.by_hand and not remove:
            click.echo(preview)
        sys.exit(1)


def _ask_for_key(url: str | None) -> str | None:
    """A key, typed unseen. A remote endpoint takes a connection's token as well."""
    from mistral_mcp.credentials import is_token, own_key  # noqa: PLC0415

    what = "Mistral API key, or a connection's token" if url else "Mistral API key"
    asked = click.prompt(
        f"{what} (not shown; empty: leave it as it is)", hide_input=True, default="", show_default=False, err=True
    )
    key = SecretStr(str(asked).strip())
    if not key.get_secret_value():
        return None
    if not is_token(key):
        own_key(key, "the prompt")
    elif url is None:
        raise BadSetting("That is a connection's token, not a key.", "Give the server's address with --url.")
    return key.get_secret_value()
