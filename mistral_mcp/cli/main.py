"""The commands, and the only place that reads the environment.

Every setting is an option and an environment variable, both made from `Settings`; secrets are variables only, because
the process list shows options.
"""

import difflib
import gc
import importlib.util
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import SecretStr, ValidationError

from mistral_mcp import __version__
from mistral_mcp.errors import BadSetting, CannotInstall, MistralMcpError
from mistral_mcp.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mistral_mcp.install.hosts import Scope

PREFIX = "MISTRAL_MCP_"

_UPSTREAM = (
    "route",
    "timeout",
    "stream_timeout",
    "max_retries",
    "max_concurrency",
    "requests_per_second",
    "tokens_per_minute",
)
_TOOLS = ("toolsets", "read_only", "chat_model", "code_model", "embed_model", "moderation_model")
_HTTP = (
    "host",
    "port",
    "workers",
    "public_url",
    "allowed_hosts",
    "allowed_origins",
    "trusted_proxies",
    "max_body",
    "byok",
)
_HOSTING = ("data_dir", "signup")  # the others are secrets, or hold some: environment only
_LOGS = ("log_level", "log_format")

_FOLDERS = ("data_dir", "files_dir")
_NOW_AND_THEN = 5.0  # seconds between plain lines, where a person waits without a terminal
_COLOURS = {"ok": "green", "failed": "red", "skipped": "yellow"}

log = logging.getLogger("mistral_mcp")

CommandT = TypeVar("CommandT", bound=Callable[..., object])


def options(*names: str) -> Callable[[CommandT], CommandT]:
    """Options made from settings; what is not given stays out, so that the environment and the defaults count."""

    def decorate(command: CommandT) -> CommandT:
        for name in reversed(names):
            field = Settings.model_fields[name]
            flag = "--" + name.replace("_", "-")
            about = f"{field.description} [env: {PREFIX}{name.upper()}]"
            if field.annotation is bool:
                command = click.option(f"{flag}/--no-{flag[2:]}", default=None, help=about)(command)
            elif get_origin(field.annotation) is Literal:
                choice = click.Choice(get_args(field.annotation), case_sensitive=False)
                command = click.option(flag, default=None, type=choice, help=about)(command)
            elif name in _FOLDERS:
                folder = click.Path(file_okay=False)
                command = click.option(flag, default=None, type=folder, help=about)(command)
            else:
                complete = _toolsets if name == "toolsets" else None
                command = click.option(flag, default=None, metavar="VALUE", help=about, shell_complete=complete)(
                    command
                )
        return command

    return decorate


def _option(*names: str, variable: str, about: str, **more: Any) -> Callable[[CommandT], CommandT]:
    """An option of one command, which is no setting, and the variable that stands for it."""
    variable = PREFIX + variable
    return click.option(*names, envvar=variable, help=f"{about} [env: {variable}]", **more)


def _toolsets(_context: object, _parameter: object, begun: str) -> list[str]:
    """For a shell: the names that the last one of a list may become."""
    from mistral_mcp.tools import TOOLSETS  # noqa: PLC0415

    before, comma, last = begun.rpartition(",")
    return [before + comma + name for name in [*TOOLSETS, "all"] if name.startswith(last)]


def variables(group: click.Group | None = None) -> Iterator[str]:
    """The variables that stand for options of single commands."""
    for command in (group or main).commands.values():
        yield from (str(option.envvar) for option in command.params if option.envvar)
        if isinstance(command, click.Group):
            yield from variables(command)


def settings_from(environ: Mapping[str, str], given: Mapping[str, object]) -> Settings:
    """Settings from the environment, with the options given on top. Raises `BadSetting` in one sentence."""
    found: dict[str, object] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or not value or _injected_by_kubernetes(name, value):
            continue
        setting = name.removeprefix(PREFIX).lower()
        if setting in Settings.model_fields:
            found[setting] = value
        else:
            known = [*(PREFIX + field.upper() for field in Settings.model_fields), *variables()]
            if name in known:
                continue
            meant = difflib.get_close_matches(name, known, n=1)
            log.warning("%s is no setting%s", name, f"; did you mean {meant[0]}?" if meant else ".")
    found |= {name: value for name, value in given.items() if value is not None}
    if "data_dir" not in found and (folder := _users_data_dir(environ)):
        found["data_dir"] = folder
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        message = problem["msg"].removeprefix("Value error, ")
        where = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "The settings"
        raise BadSetting(f"{where} cannot be used: {message[:1].lower()}{message[1:]}.") from None


def _injected_by_kubernetes(name: str, value: str) -> bool:
    """A service called mistral-mcp makes Kubernetes set MISTRAL_MCP_PORT=tcp://… and the like in every pod beside it."""
    return value.startswith(("tcp://", "udp://")) or "_SERVICE_" in name or "_PORT_" in name


def _users_data_dir(environ: Mapping[str, str]) -> Path | None:
    """Where this system keeps a user's data; None where it does not say."""
    if sys.platform == "darwin" and "HOME" in environ:
        return Path(environ["HOME"], "Library", "Application Support", "mistral-mcp")
    base = environ.get("LOCALAPPDATA") if sys.platform == "win32" else environ.get("XDG_DATA_HOME")
    if not base and "HOME" in environ:
        base = str(Path(environ["HOME"], ".local", "share"))
    return Path(base, "mistral-mcp") if base else None


class _Group(click.Group):
    """Prints what is refused on purpose as one sentence. Exit codes: 0 ok, 1 failed, 2 wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MistralMcpError as error:
            click.echo(f"mistral-mcp: {error}", err=True)
            ctx.exit(2 if isinstance(error, BadSetting) else 1)


@click.group(cls=_Group, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mistral-mcp")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Mistral's models as MCP tools. Without a command: an MCP server over stdio."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if ctx.invoked_subcommand is None:
        ctx.invoke(stdio)


@main.command()
@options(*_UPSTREAM, *_TOOLS, "files_dir", *_LOGS)
def stdio(**given: object) -> None:
    """Serve MCP over stdio, with the key in MISTRAL_API_KEY."""
    settings = _start(given)
    if settings.files_dir is not None and not settings.files_dir.is_dir():
        raise BadSetting(f"{PREFIX}FILES_DIR cannot be used: there is no such folder.")
    with _nothing_to_collect():
        import anyio  # noqa: PLC0415 - commands import what they need: stdio must start fast

        from mistral_mcp.credentials import from_key  # noqa: PLC0415
        from mistral_mcp.server import create_server  # noqa: PLC0415

        server = create_server(settings, from_key(os.environ.get("MISTRAL_API_KEY")))
    if sys.stdin.isatty():
        # A thread waits in a read of it, which Python's own handler of Ctrl-C would not end.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    anyio.run(server.run_stdio_async)


@main.command()
@options(*_HTTP, *_UPSTREAM, *_TOOLS, *_HOSTING, *_LOGS)
def serve(**given: object) -> None:
    """Serve MCP over streamable HTTP: callers' own keys at /mcp, stored connections at secret URLs, a connect page."""
    settings = _start(given)
    if os.environ.get("MISTRAL_API_KEY"):
        log.warning("MISTRAL_API_KEY is ignored: callers of serve bring their own keys.")
    if settings.route.kind == "lava" and (settings.byok or settings.signup == "open"):
        raise BadSetting(
            "ROUTE=lava:// pays with ROUTE_TOKEN, so anybody who can reach this server would spend your money.",
            "Set BYOK=false and SIGNUP=code or off.",
        )

    with _nothing_to_collect():
        import uvicorn  # noqa: PLC0415

        app = _app(settings, prepare=True)
    # Workers are processes of their own: they read the settings anew, so the options go into their environment.
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in given.items() if value is not None})
    _say_where(settings)
    try:
        uvicorn.run(
            app if settings.workers == 1 else "mistral_mcp.cli.main:worker",
            factory=settings.workers > 1,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            # Named, so that what is installed beside changes nothing.
            loop="asyncio",
            http="mistral_mcp.http.app:Front",
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=30,
            timeout_keep_alive=75,  # seconds; longer than proxies keep theirs, or they meet connections that just closed
        )
    except SystemExit as ended:
        sys.exit(1 if ended.code else 0)  # uvicorn has codes of its own, and has said why


def _say_where(settings: Settings) -> None:
    """Uvicorn's own line is among those that could repeat paths, and knows no public name."""
    if settings.port == 0:  # only uvicorn will know
        logging.getLogger("uvicorn.error").setLevel(logging.INFO)
        return
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = settings.public_url or f"http://{host}:{settings.port}"
    log.info("Serving MCP at %s/mcp%s.", base, f", the connect page at {base}/" if _has_hosting() else "")


def worker() -> "Starlette":
    """The app of one worker."""
    settings = _start({})
    with _nothing_to_collect():
        return _app(settings, prepare=False)


def _app(settings: Settings, *, prepare: bool) -> "Starlette":
    """The hosted app where the extra is installed, else the core's. `prepare`: find out now what would stop a start."""
    if not _has_hosting():
        from mistral_mcp.http.app import create_app  # noqa: PLC0415

        if prepare:
            log.info("Callers bring their own keys; for stored connections install mistral-mcp[hosting].")
        return create_app(settings)

    import anyio  # noqa: PLC0415

    from mistral_mcp.hosting import app  # noqa: PLC0415

    return anyio.run(app.prepared, settings) if prepare else app.create_app(settings)


@main.group()
def connections() -> None:
    """The vault, for its operator."""


@connections.command("list")
@options("data_dir", *_LOGS)
def list_connections(**given: object) -> None:
    """Show every connection, and how many are on which master key."""
    _operate("listed", given)


@connections.command("create")
@_option("--label", variable="CONNECTION_LABEL", about="A name to tell it by.", default="")
@_option(
    "--connection-toolsets",
    "names",
    variable="CONNECTION_TOOLSETS",
    about="Toolsets it is limited to, comma-separated.",
    shell_complete=_toolsets,
)
@_option(
    "--connection-read-only",
    "only_reads",
    variable="CONNECTION_READ_ONLY",
    about="Limit it to tools that change nothing.",
    is_flag=True,
)
@_option(
    "--expires-in-days",
    variable="CONNECTION_EXPIRES_IN_DAYS",
    about="Days until it ends; default: never.",
    type=click.IntRange(1, 3650),
)
@options("data_dir", "public_url", "host", "port", *_LOGS)
def create_connection(
    label: str,
    names: str | None,
    only_reads: bool,  # noqa: FBT001 - an option
    expires_in_days: int | None,
    **given: object,
) -> None:
    """Make a connection for a key asked for here; the secret URL is shown once."""
    key = SecretStr(click.prompt("Mistral API key", hide_input=True).strip())
    toolsets = [name.strip() for name in names.split(",")] if names else None
    _operate(
        "created", given, key, label=label, toolsets=toolsets, read_only=only_reads, expires_in_days=expires_in_days
    )


@connections.command("revoke")
@click.argument("connection_id")
@options("data_dir", *_LOGS)
def revoke_connection(connection_id: str, **given: object) -> None:
    """End a connection by its id."""
    _operate("revoked", given, connection_id)


@connections.command("reseal")
@options("data_dir", *_LOGS)
def reseal_connections(**given: object) -> None:
    """Turn all connections to the first of MASTER_KEYS; nobody's token is needed."""
    _operate("resealed", given, tells=True)


def _operate(what: str, given: Mapping[str, object], *arguments: object, tells: bool = False, **more: object) -> None:
    settings = _start(given)
    if not _has_hosting():
        raise BadSetting("There is no vault here.", "Install mistral-mcp[hosting].")

    import anyio  # noqa: PLC0415

    from mistral_mcp.hosting import commands as operating  # noqa: PLC0415

    with _waiting("Opening the vault") as tell:
        text = anyio.run(
            partial(getattr(operating, what), settings, *arguments, **more, **({"tell": tell} if tells else {}))
        )
    click.echo(text)


@contextmanager
def _waiting(what: str) -> Generator[Callable[[str], None]]:
    """While something takes long: on a terminal a line that goes again, elsewhere a plain one now and then. On stderr."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        last = time.monotonic()

        def tell(text: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _NOW_AND_THEN:
                last = time.monotonic()
                click.echo(f"{text}…", err=True)

        yield tell
        return

    from rich.console import Console  # noqa: PLC0415

    logs: list[Any] = [
        handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)
    ]
    with Console(stderr=True).status(f"{what}…") as status:
        before = [handler.setStream(sys.stderr) for handler in logs]  # rich's for now, which writes above the line
        try:
            yield lambda text: status.update(f"{text}…")
        finally:
            for handler, stream in zip(logs, before, strict=True):
                handler.setStream(stream)


@main.command()
@_option("--host", variable="SANDBOX_HOST", about="Address to bind.", default="127.0.0.1", show_default=True)
@_option(
    "--port",
    variable="SANDBOX_PORT",
    about="Port to bind.",
    type=click.IntRange(1, 65535),
    default=8787,
    show_default=True,
)
def sandbox(host: str, port: int) -> None:
    """Run a simulated Mistral API, for trying things offline."""
    from mistral_mcp.sandbox import Sandbox, run  # noqa: PLC0415

    click.echo(f"Simulated Mistral API on http://{host}:{port}; any key is accepted. Use it with", err=True)
    click.echo(f"  MISTRAL_MCP_ROUTE=http://{host}:{port} MISTRAL_API_KEY=anything mistral-mcp", err=True)
    try:
        run(Sandbox(), host=host, port=port)
    except OSError as error:
        raise MistralMcpError(f"Port {port} of {host} cannot be used: {error.strerror}.", "Choose another.") from None


@main.command()
@_option("--json", "as_json", variable="DOCTOR_JSON", about="For programs.", is_flag=True)
@options(*_UPSTREAM, *_TOOLS, "files_dir", "data_dir", *_LOGS)
def doctor(as_json: bool, **given: object) -> None:  # noqa: FBT001 - an option
    """Check key, route, reachability, models and vault; a line each. Exits with 1 if a check fails."""
    settings = _start(given)

    import anyio  # noqa: PLC0415

    from mistral_mcp.cli import doctor as doctors  # noqa: PLC0415
    from mistral_mcp.selection import Bound  # noqa: PLC0415

    Bound.of(settings)  # refuses what a start would refuse
    count = None
    if _has_hosting():
        from mistral_mcp.hosting.commands import counted as count  # noqa: PLC0415
    key = os.environ.get("MISTRAL_API_KEY", "").strip()

    async def examine() -> list[doctors.Finding]:
        findings: list[doctors.Finding] = []
        checks = doctors.examine(
            settings, SecretStr(key) if key else None, count, lambda check: tell(f"Checking {check}")
        )
        while True:
            with _waiting("Checking") as tell:
                finding = await anext(checks, None)
            if finding is None:
                return findings
            findings.append(finding)
            if not as_json:
                width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
                state, rest = doctors.line(finding, width).split(finding.state, 1)
                click.echo(state + click.style(finding.state, fg=_COLOURS[finding.state]) + rest)

    findings = anyio.run(examine)
    if as_json:
        click.echo(doctors.as_json(findings))
    sys.exit(any(finding.state == "failed" for finding in findings))


@main.command()
@options("toolsets", "read_only")
def tools(**given: object) -> None:
    """List the tools that a caller would get."""
    settings = _start(given)

    from mistral_mcp import tools as offered  # noqa: PLC0415
    from mistral_mcp.selection import Bound  # noqa: PLC0415

    selection = Bound.of(settings).select()
    names = offered.offered(selection.toolsets, read_only=selection.read_only)
    for toolset in selection.toolsets:
        for tool in offered.built(toolset, local_files=False):
            if tool.name in names:
                click.echo(f"{toolset:<14} {tool.name:<36} {tool.title}")


def _hosts(_context: object = None, _parameter: object = None, begun: str = "") -> list[str]:
    """The hosts that `install` knows; for a shell, those that begin so."""
    from mistral_mcp.install import HOSTS  # noqa: PLC0415

    return [host for host in HOSTS if host.startswith(begun)]


@main.command()
@click.argument("host", shell_complete=_hosts)
@_option(
    "--url",
    variable="INSTALL_URL",
    about="A remote endpoint instead of a program of this machine; -: ask for it, unseen.",
    metavar="URL",
)
@_option(
    "--name", variable="INSTALL_NAME", about="What the host calls the server.", default="mistral", show_default=True
)
@_option(
    "--scope",
    variable="INSTALL_SCOPE",
    about="Whose entry.",
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
    """Tell a host of this server: through its own command, or in its file, which keeps everything else and a backup.

    HOST is claude-desktop, claude-code, cursor, vscode, codex, gemini, zed, windsurf, goose, lmstudio or vibe.

    The key stays in MISTRAL_API_KEY where the host can refer to it; other hosts hold it, and it is asked for unseen.
    """
    from mistral_mcp.install import Machine  # noqa: PLC0415
    from mistral_mcp.install import plan as steps  # noqa: PLC0415

    if host not in _hosts():
        raise BadSetting(f"There is no host {host} here.", f"Name one of {', '.join(_hosts())}.")
    machine = Machine(sys.platform, Path.home(), Path.cwd(), sys.executable, dict(os.environ))
    unseen = url == "-"
    if unseen:
        url = str(click.prompt("URL (not shown)", hide_input=True, err=True)).strip()
    wish = steps.wish(machine, host, name=name, url=url, scope=scope)
    shown = steps.shown(machine, wish)
    shown = shown.replace(url, "YOUR_URL") if unseen and url else shown
    if only_print:
        click.echo(f"For {wish.file}:", err=True)
        click.echo(shown)
        return
    try:
        if remove:
            click.echo(steps.told(wish, steps.remove(wish), removed=True))
            return
        if ask_key and scope == "project":
            raise BadSetting("A project's file is shared; a key does not belong in it.", "Leave --ask-key out.")
        key = _asked_for(url) if wish.takes_key and (ask_key or wish.must_ask) else None
        with _waiting(f"Telling {wish.host.title}"):
            done = steps.install(machine, wish, key)
        click.echo(steps.told(wish, done))
    except CannotInstall as error:
        click.echo(f"mistral-mcp: {wish.file}: {error}", err=True)
        if error.by_hand and not remove:
            click.echo(shown)
        sys.exit(1)


def _asked_for(url: str | None) -> str | None:
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


@main.command()
def demo() -> None:
    """Watch the server work: a real MCP client calls every default tool, over stdio and over HTTP."""
    from mistral_mcp.cli import demo as show  # noqa: PLC0415

    sys.exit(show.run(dict(os.environ)))


def _has_hosting() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("sqlalchemy") is not None


@contextmanager
def _nothing_to_collect() -> Generator[None]:
    """For what is made once and stays, modules and schemas. Looking for garbage there takes a fifth of a start, and some
    of every collection after it.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _start(given: Mapping[str, object]) -> Settings:
    """Settings, and logging before anything else wants to configure it."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="mistral-mcp: %(message)s")
    settings = settings_from(os.environ, given)

    from mistral_mcp import logs  # noqa: PLC0415

    logs.configure(settings.log_level, settings.log_format)
    return settings
