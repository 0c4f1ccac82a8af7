"""`mistral-mcp connections`: the vault, for its operator."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import click
from pydantic import SecretStr

from mistral_mcp.cli.environment import has_hosting, start
from mistral_mcp.cli.options import LOGS, complete_toolsets, option, settings_options
from mistral_mcp.cli.terminal import ask_secret, waiting
from mistral_mcp.errors import BadSetting
from mistral_mcp.settings import Settings


@click.group()
def connections() -> None:
    """Manage the vault's connections."""


@connections.command("list")
@option("--json", "as_json", variable="CONNECTIONS_JSON", about="Print JSON.", is_flag=True)
@settings_options("data_dir", *LOGS)
def list_connections(as_json: bool, **given: object) -> None:  # noqa: FBT001 - an option
    """List connections, and how many are on which master key."""
    settings = _vault_settings(given)

    from mistral_mcp.hosting import commands  # noqa: PLC0415

    with waiting("Opening the vault"):
        _run(partial(commands.list_connections, settings, as_json=as_json))


@connections.command("usage")
@option("--json", "as_json", variable="USAGE_JSON", about="Print JSON.", is_flag=True)
@settings_options("data_dir", "budget_usd", "budget_calls_per_day", *LOGS)
def list_usage(as_json: bool, **given: object) -> None:  # noqa: FBT001 - an option
    """Show what each connection used.

    Today and this month, the most expensive first; including callers with their own keys. Batches are not counted.
    """
    settings = _vault_settings(given)

    from mistral_mcp.hosting.usage import report  # noqa: PLC0415

    with waiting("Opening the vault"):
        _run(partial(report.list_usage, settings, as_json=as_json))


@connections.command("create")
@option("--label", variable="CONNECTION_LABEL", about="A name for the connection.", default="")
@option(
    "--connection-toolsets",
    "names",
    variable="CONNECTION_TOOLSETS",
    about="Toolsets it is limited to, comma-separated.",
    metavar="NAME,NAME",
    shell_complete=complete_toolsets,
)
@option(
    "--connection-read-only",
    "only_reads",
    variable="CONNECTION_READ_ONLY",
    about="Limit it to tools that change nothing.",
    is_flag=True,
)
@option(
    "--expires-in-days",
    variable="CONNECTION_EXPIRES_IN_DAYS",
    about="Days until it expires; default: never.",
    type=click.IntRange(1, 3650),
)
@option(
    "--connection-route",
    variable="CONNECTION_ROUTE",
    about="Its own route, which may be any address: a sandbox's, for a reviewer.",
    metavar="ROUTE",
)
@settings_options("data_dir", "public_url", "host", "port", *LOGS)
def create_connection(
    label: str,
    names: str | None,
    only_reads: bool,  # noqa: FBT001 - an option
    expires_in_days: int | None,
    connection_route: str | None,
    **given: object,
) -> None:
    """Create a connection.

    The Mistral key is asked for without echo; the connection's secret URL is shown this once.
    """
    key = SecretStr(ask_secret("Mistral API key (not shown)"))
    if names:
        toolsets = [name.strip() for name in names.split(",")]
    else:
        toolsets = None
    settings = _vault_settings(given)

    from mistral_mcp.hosting import commands  # noqa: PLC0415

    with waiting("Opening the vault"):
        _run(
            partial(
                commands.create_connection,
                settings,
                key,
                label=label,
                toolsets=toolsets,
                read_only=only_reads,
                expires_in_days=expires_in_days,
                route=connection_route,
            )
        )


@connections.command("revoke")
@click.argument("connection_id", required=False)
@click.option("--all", "every", is_flag=True, help="Revoke every connection.")
@option("--label", variable="REVOKE_LABEL", about="Revoke all connections of this label.", metavar="TEXT")
@option(
    "--older-than",
    variable="REVOKE_OLDER_THAN",
    about="Revoke all connections created so many days ago.",
    type=click.IntRange(min=0),
    metavar="DAYS",
)
@settings_options("data_dir", *LOGS)
def revoke_connections(
    connection_id: str | None, label: str | None, older_than: int | None, *, every: bool, **given: object
) -> None:
    """Revoke one connection, or many.

    One by its id; many by --all, or by --label and --older-than.
    """
    chosen = [connection_id is not None, every, label is not None or older_than is not None]
    if sum(chosen) != 1:
        raise click.UsageError("Give the id of a connection, or --all, or --label and --older-than.")
    settings = _vault_settings(given)

    from mistral_mcp.hosting import commands  # noqa: PLC0415

    with waiting("Opening the vault"):
        if connection_id is not None:
            _run(partial(commands.revoke_connection, settings, connection_id))
        else:
            _run(partial(commands.revoke_connections, settings, label=label, older_than_days=older_than))


@connections.command("reseal")
@settings_options("data_dir", *LOGS)
def reseal_connections(**given: object) -> None:
    """Re-encrypt under the first master key.

    All tokens go to the first of MASTER_KEYS; no client's token is needed.
    """
    settings = _vault_settings(given)

    from mistral_mcp.hosting import commands  # noqa: PLC0415

    with waiting("Opening the vault") as report:
        _run(partial(commands.reseal_connections, settings, report=report))


def _vault_settings(given: Mapping[str, object]) -> Settings:
    settings = start(given)
    if not has_hosting():
        raise BadSetting("There is no vault here.", "Install mistral-mcp[hosting].")
    return settings


def _run(command: Callable[[], Awaitable[str]]) -> None:
    import anyio  # noqa: PLC0415

    click.echo(anyio.run(command))
