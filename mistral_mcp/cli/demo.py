"""`mistral-mcp demo`."""

import os
import sys

import click

from mistral_mcp.cli.environment import api_key


@click.command()
def demo() -> None:
    """Watch the server work.

    A real MCP client calls every default tool, over stdio and over HTTP. With MISTRAL_API_KEY it talks to Mistral,
    without one it starts the sandbox.
    """
    from mistral_mcp.cli import tour  # noqa: PLC0415

    sys.exit(tour.run(dict(os.environ), api_key(os.environ)))
