"""`mistral-mcp sandbox`."""

import click

from mistral_mcp.cli.options import option, url_host
from mistral_mcp.errors import MistralMcpError


@click.command()
@option("--host", variable="SANDBOX_HOST", about="Address to bind.", default="127.0.0.1", show_default=True)
@option(
    "--port",
    variable="SANDBOX_PORT",
    about="Port to bind.",
    type=click.IntRange(1, 65535),
    default=8787,
    show_default=True,
)
def sandbox(host: str, port: int) -> None:
    """Run a simulated Mistral API, offline."""
    from mistral_mcp.sandbox import Sandbox, run  # noqa: PLC0415

    url = f"http://{url_host(host)}:{port}"

    def greet() -> None:
        click.echo(
            f"Simulated Mistral API on {url}; any key of eight or more characters will do. Use it with", err=True
        )
        click.echo(f"  MISTRAL_MCP_ROUTE={url} MISTRAL_API_KEY=any-key-will-do mistral-mcp", err=True)

    try:
        run(Sandbox(), host=host, port=port, ready=greet)
    except OSError as error:
        raise MistralMcpError(
            f"Port {port} of {host} cannot be used: {error.strerror}.", "Choose another."
        ) from None
