"""`mistral-mcp demo`."""

import os
import sys

import click

from mistral_mcp.cli.environment import api_key


@click.command()
def demo() -> None:
    """Watch the server work: a real MCP client calls every default tool, over stdio and over HTTP."""
    from mistral_mcp.cli import tour  # noqa: PLC0415

    sys.exit(tour.run(dict(os.environ), api_key(os.environ)))
