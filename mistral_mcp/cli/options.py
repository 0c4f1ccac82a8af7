"""Options generated from settings: each field of `Settings` is an option and an environment variable.

Secrets are variables only, because the process list shows options.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from mistral_mcp.settings import Settings

PREFIX = "MISTRAL_MCP_"

UPSTREAM = (
    "route",
    "timeout",
    "stream_timeout",
    "max_retries",
    "max_concurrency",
    "requests_per_second",
    "tokens_per_minute",
    "catalog",
)
TOOLS = ("toolsets", "read_only", "chat_model", "code_model", "embed_model", "moderation_model")
STDIO = (*UPSTREAM, *TOOLS, "files_dir", "output_dir", "data_dir")
HTTP = (
    "host",
    "port",
    "workers",
    "public_url",
    "allowed_hosts",
    "allowed_origins",
    "trusted_proxies",
    "max_body",
    "byok",
    "max_sockets",
    "oauth",
)
HOSTING = (
    "data_dir",
    "signup",
    "max_expiry_days",
    "max_connections_per_key",
    "result_ttl",
    "budget_usd",
    "budget_calls_per_day",
    "privacy_url",
    "terms_url",
    "support_url",
    "apps_challenge",
)  # the others are or hold secrets: environment only
LOGS = ("log_level", "log_format")
SECRETS = ("route_token", "master_keys", "signup_code", "metrics_token", "database_url", "redis_url")
API_KEY = "MISTRAL_API_KEY"

_FILES = frozenset({"catalog"})
_METAVARS = {int: "INTEGER", float: "NUMBER", Path: "FOLDER", tuple: "NAME,NAME"}

CommandT = TypeVar("CommandT", bound=Callable[..., object])


def settings_options(*names: str) -> Callable[[CommandT], CommandT]:
    """Add options for settings; options not given are left out, so that the environment and the defaults apply."""

    def decorate(command: CommandT) -> CommandT:
        for name in reversed(names):
            command = _setting(name)(command)
        return command

    return decorate


def option(*names: str, variable: str, about: str, **more: Any) -> Callable[[CommandT], CommandT]:
    """An option of one command that is not a setting, with its variable."""
    variable = PREFIX + variable
    return click.option(*names, envvar=variable, help=f"{about} [env: {variable}]", **more)


def command_variables(command: click.Command) -> Iterator[str]:
    """The variables of options of single commands."""
    yield from (str(parameter.envvar) for parameter in command.params if parameter.envvar)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from command_variables(inner)


def url_host(host: str) -> str:
    """A host as written in a URL."""
    if ":" in host:
        return f"[{host}]"
    return host


def complete_toolsets(_context: object, _parameter: object, incomplete: str) -> list[str]:
    """Shell completion: candidates for the last name of a list."""
    from mistral_mcp.tools import TOOLSETS  # noqa: PLC0415

    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in [*TOOLSETS, "all"] if name.startswith(last)]


def _setting(name: str) -> Callable[[CommandT], CommandT]:
    field = Settings.model_fields[name]
    kind = _kind(field.annotation)
    flag = "--" + name.replace("_", "-")
    about = f"{field.description}{_default(field.default)} [env: {PREFIX}{name.upper()}]"
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", default=None, help=about)
    if get_origin(kind) is Literal:
        choice = click.Choice(get_args(kind), case_sensitive=False)
        return click.option(flag, default=None, type=choice, help=about)
    if kind is Path:
        is_file = name in _FILES
        path = click.Path(file_okay=is_file, dir_okay=not is_file)
        return click.option(flag, default=None, type=path, metavar="FILE" if is_file else "FOLDER", help=about)
    metavar = _METAVARS.get(get_origin(kind) or kind, "TEXT")
    if name == "toolsets":
        complete = complete_toolsets
    else:
        complete = None
    return click.option(flag, default=None, metavar=metavar, help=about, shell_complete=complete)


def _kind(annotation: Any) -> Any:
    """The type of an option's value: the annotation without None."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    if len(kinds) == 1 and get_origin(annotation) is not Literal:
        return kinds[0]
    return annotation


def _default(value: object) -> str:
    """The default for `--help`; empty if the description states it."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        value = str(value).lower()
    return f" [default: {value}]"
