"""The command `mistral-mcp`: one file of this folder for each of its commands."""

import os
from typing import Any

import click

from mistral_mcp import __version__
from mistral_mcp.cli.connections import connections
from mistral_mcp.cli.demo import demo
from mistral_mcp.cli.doctor import doctor
from mistral_mcp.cli.install import install
from mistral_mcp.cli.options import LOGS, STDIO, settings_options
from mistral_mcp.cli.sandbox import sandbox
from mistral_mcp.cli.serve import serve
from mistral_mcp.cli.stdio import stdio
from mistral_mcp.cli.tools import tools
from mistral_mcp.errors import BadSetting, MistralMcpError


class _Group(click.Group):
    """Prints our errors as one sentence. Exit codes: 0 ok, 1 failed, 2 wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MistralMcpError as error:
            click.echo(f"mistral-mcp: {error}", err=True)
            ctx.exit(2 if isinstance(error, BadSetting) else 1)


@click.group(cls=_Group, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mistral-mcp")
@settings_options(*STDIO, *LOGS)
@click.pass_context
def main(ctx: click.Context, **given: object) -> None:
    """Mistral's models as MCP tools.

    Without a command: an MCP server over stdio, with the options below.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if ctx.invoked_subcommand is None:
        ctx.invoke(stdio, **given)
        return
    misplaced = [name for name, value in given.items() if value is not None]
    if misplaced:
        flag = "--" + misplaced[0].replace("_", "-")
        raise click.UsageError(f"{flag} belongs after the command: mistral-mcp {ctx.invoked_subcommand} {flag} …")


for _command in (connections, demo, doctor, install, sandbox, serve, stdio, tools):
    main.add_command(_command)
