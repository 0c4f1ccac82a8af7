"""`mistral-mcp tools`."""

import click

from mistral_mcp.cli.environment import start
from mistral_mcp.cli.options import settings_options


@click.command()
@settings_options("toolsets", "read_only")
def tools(**given: object) -> None:
    """List the tools that a caller would get."""
    settings = start(given)

    from mistral_mcp import tools as toolsets  # noqa: PLC0415
    from mistral_mcp.selection import AllowedToolsets  # noqa: PLC0415

    selection = AllowedToolsets.of(settings).select()
    names = toolsets.names(selection.toolsets, read_only=selection.read_only)
    for toolset in selection.toolsets:
        for tool in toolsets.build(toolset):
            if tool.name in names:
                click.echo(f"{toolset:<14} {tool.name:<36} {tool.title}")
