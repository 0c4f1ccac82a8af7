"""The only reader of the environment: settings from variables, with the options given on top."""

import gc
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import cast

import click
from pydantic import ValidationError

from mistral_mcp.cli.options import API_KEY, PREFIX, SECRETS, command_variables
from mistral_mcp.errors import BadSetting
from mistral_mcp.network import Network
from mistral_mcp.settings import SETTINGS, Settings
from mistral_mcp.suggest import nearest

_COLLECT_EVERY = 50_000
"""Objects made before garbage is collected. Those of running calls count: 32 hold some 8,000, and 128 some 40,000. With fewer
than that, each wave of them pays for a collection, with 10,000 up to a sixth of all processor time. It costs no memory, for calls
leave no garbage (`free_requests_at_once`), except for small objects of the SDK's stream of progress.
"""
_COLLECT_OLD_EVERY = 1
"""Collections before older objects are looked at too: calls that were running in the last one, and have ended since. With
Python's 10 they take up a megabyte.
"""
_PR_SET_DUMPABLE = 4  # of linux/prctl.h

log = logging.getLogger("mistral_mcp")


def start(given: Mapping[str, object]) -> Settings:
    """Settings, and logging before anything else wants to configure it."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="mistral-mcp: %(message)s")
    settings = settings_from(os.environ, given)
    context = click.get_current_context(silent=True)
    if context is not None:  # a worker has none; its parent process has warned
        warn_about_unknown_names(os.environ, command_variables(context.find_root().command))

    from mistral_mcp import logs  # noqa: PLC0415

    logs.configure(settings.log_level, settings.log_format)
    if settings.catalog is not None:
        from mistral_mcp.mistral.catalog import Catalog  # noqa: PLC0415

        Catalog.load(settings.catalog)  # an unusable file stops the start
    return settings


def settings_from(environ: Mapping[str, str], given: Mapping[str, object]) -> Settings:
    """Settings from the environment, overridden by the options. Raises `BadSetting`."""
    options = {name: value for name, value in given.items() if value is not None}
    variables = {name: environ.get(PREFIX + name.upper(), "").strip() for name in SETTINGS}
    found: dict[str, object] = {name: value for name, value in variables.items() if _is_set(name, value)}
    for name in SECRETS:
        if secret := read_secret(environ, PREFIX + name.upper()):
            found[name] = secret
    found |= options
    if "data_dir" not in found and (folder := _users_data_dir(environ)):
        found["data_dir"] = folder
    found["network"] = network_from(environ)
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        message = problem["msg"].removeprefix("Value error, ")
        where = _source([*problem["loc"], ""][0], options)
        if not message[:2].isupper():  # the name of a setting stays as it is
            message = message[:1].lower() + message[1:]
        raise BadSetting(f"{where} cannot be used: {message}.") from None


def network_from(environ: Mapping[str, str]) -> Network:
    """This machine's proxies and certificates. Without proxies in the environment, some systems have their own settings."""
    proxies = {
        scheme: environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY") or ""
        for scheme in ("http", "https", "all", "no")
    }
    if any(proxies[scheme] for scheme in ("http", "https", "all")) or sys.platform not in {"darwin", "win32"}:
        return Network.from_environment(environ, proxies)
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - slow to import

    return Network.from_environment(environ, getproxies(), proxy_bypass)


def read_secret(environ: Mapping[str, str], name: str) -> str:
    """A secret from its variable, or from the file that NAME_FILE names; empty if there is neither. Raises `BadSetting`."""
    value, file = environ.get(name, "").strip(), environ.get(f"{name}_FILE", "").strip()
    if not file:
        return value
    if value:
        raise BadSetting(f"{name} and {name}_FILE are both set.", "Keep one of them.")
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8").split()
    except (OSError, ValueError, RuntimeError):
        raise BadSetting(f"{name}_FILE cannot be used: its file cannot be read.") from None
    if not lines:
        raise BadSetting(f"{name}_FILE cannot be used: its file is empty.")
    return ",".join(lines)


def api_key(environ: Mapping[str, str]) -> str:
    """The Mistral key of this process; empty if there is none. Raises `BadSetting`."""
    return read_secret(environ, API_KEY)


def warn_about_unknown_names(environ: Mapping[str, str], others: Iterable[str]) -> None:
    """Log a warning for each variable of our prefix that is neither a setting nor among `others`."""
    known = [PREFIX + name.upper() for name in SETTINGS]
    known += [f"{PREFIX}{name.upper()}_FILE" for name in SECRETS]
    known += others
    for name, value in environ.items():
        if not name.startswith(PREFIX) or not value or name in known or _is_kubernetes_link(name, value):
            continue
        meant = nearest(name, known)
        if meant:
            log.warning("Unknown setting %s; did you mean %s?", name, meant)
        else:
            log.warning("Unknown setting %s.", name)


def has_hosting() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("sqlalchemy") is not None


@contextmanager
def gc_frozen_during_startup() -> Generator[None]:
    """Skips garbage collection for objects that stay, such as modules and schemas: it takes a fifth of a start, and a part
    of every later collection.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
        gc.set_threshold(_COLLECT_EVERY, _COLLECT_OLD_EVERY, _COLLECT_OLD_EVERY)
    finally:
        gc.enable()


def release_garbage() -> None:
    """Frees what the start left, before it is frozen, and returns freed memory to the system: a megabyte each."""
    gc.collect()
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - as in `forbid_core_dumps`

        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):  # glibc's
            library.malloc_trim(0)


def import_aiohttp() -> None:
    """Imports it without certificates: it loads the system's twice, 1.5 MB and 70 ms, and `Wire` passes it our own."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    found = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, os.devnull))
    try:
        importlib.import_module("aiohttp")
    finally:
        for name, value in found.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def free_requests_at_once() -> None:
    """Frees what a request took with its answer. The SDK's runner of a request keeps its handlers, and they hold the runner: all
    of it would stay until garbage is collected, at a fortieth of the processor time of short calls. So it does not keep them.
    """
    from mcp.server.runner import ServerRunner  # noqa: PLC0415

    for name in ("on_request", "on_notify"):
        setattr(ServerRunner, name, property(attrgetter(f"_{name}")))


@contextmanager
def hide_rich() -> Generator[None]:
    """The SDK imports rich, 1.5 MB, for a handler of the log, and lets go of it where logging is configured, as it is here."""
    name = "rich"
    found = sys.modules.get(name)
    sys.modules[name] = cast("ModuleType", None)  # Python's way to say that it is not installed
    try:
        yield
    finally:
        del sys.modules[name]
        if found is not None:
            sys.modules[name] = found


def _is_set(name: str, value: str) -> bool:
    return bool(value) and not _is_kubernetes_link(PREFIX + name.upper(), value)


def _source(name: int | str, options: Mapping[str, object]) -> str:
    """The option or the variable of a value; "The settings", if it is not a single one."""
    if not name:
        return "The settings"
    if name in options:
        return "--" + str(name).replace("_", "-")
    return PREFIX + str(name).upper()


def _is_kubernetes_link(name: str, value: str) -> bool:
    """A service called mistral-mcp makes Kubernetes set MISTRAL_MCP_PORT=tcp://… and the like in every pod next to it."""
    return value.startswith(("tcp://", "udp://", "sctp://")) or "_SERVICE_" in name or "_PORT_" in name


def _users_data_dir(environ: Mapping[str, str]) -> Path | None:
    """The system's folder for a user's data; None if unknown."""
    if sys.platform == "darwin" and "HOME" in environ:
        return Path(environ["HOME"], "Library", "Application Support", "mistral-mcp")
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA")
    else:
        base = environ.get("XDG_DATA_HOME")
    if not base and "HOME" in environ:
        base = str(Path(environ["HOME"], ".local", "share"))
    if base:
        return Path(base, "mistral-mcp")
    return None


def users_cache_dir(environ: Mapping[str, str]) -> Path:
    """The system's folder for a user's cache."""
    if sys.platform == "darwin" and "HOME" in environ:
        return Path(environ["HOME"], "Library", "Caches", "mistral-mcp")
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA")
    else:
        base = environ.get("XDG_CACHE_HOME")
    if not base and "HOME" in environ:
        base = str(Path(environ["HOME"], ".cache"))
    return Path(base or tempfile.gettempdir(), "mistral-mcp")


def has_browser(environ: Mapping[str, str]) -> bool:
    """Whether this user can open a local page: not over SSH, nor on a Unix without a display."""
    if environ.get("SSH_CONNECTION"):
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def forbid_core_dumps() -> None:
    """Forbid core dumps, and on Linux reads by the user's other processes: memory holds many callers' keys."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
