"""The facts of a machine that an installation needs: paths, and the command that starts this server."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

SCRIPT = ("mistral-mcp",)


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts of a machine that an installation needs. Only `cli` reads them from the system."""

    platform: str
    """As in `sys.platform`."""
    home: Path
    project: Path
    """The folder of the project."""
    command: tuple[str, ...]
    """Command that starts this server."""
    portable_command: tuple[str, ...] = SCRIPT
    """Command for files that are committed, without a path of this machine."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """The environment: PATH, and variables that change clients' paths."""

    def variable(self, name: str, default: Path) -> Path:
        """The folder in a variable, if it is set; else the default."""
        return Path(self.variables.get(name) or default)

    def find_program(self, name: str) -> str | None:
        """A program on PATH."""
        return shutil.which(name, path=self.variables.get("PATH", ""))

    def application_data(self, file: str) -> Path:
        """The settings folder of desktop applications."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / file
        return self.dot_config(file, file)

    def dot_config(self, file: str, windows: str) -> Path:
        """The settings folder of Unix-like programs."""
        if self.platform == "win32":
            return self.variable("APPDATA", self.home / "AppData" / "Roaming") / windows
        folder = self.home / ".config"
        if self.platform == "linux":
            folder = self.variable("XDG_CONFIG_HOME", folder)
        return folder / file


def start_command(
    invoked: str, python: str, variables: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The commands that start this server, here and on another machine. `invoked` is how this process was started.

    An environment created by uvx is temporary, so there the command is uvx with the same source. Everywhere else it
    is the script, by its absolute path.
    """
    environment = Path(python).parents[1]
    if re.fullmatch(r"(archive|environments)-v\d+", environment.parent.name):
        arguments = SCRIPT
        source = _source()
        if source:
            arguments = ("--from", source, *SCRIPT)
        portable = ("uvx", *arguments)
        if source and "://" not in source:
            portable = SCRIPT
        return (_uvx(variables), *arguments), portable
    script = Path(invoked).absolute()
    if script.stem != SCRIPT[0] or not script.is_file():
        script = Path(shutil.which(SCRIPT[0], path=str(Path(python).parent)) or "")
    if not script.name:
        return (python, "-m", "mistral_mcp"), SCRIPT
    return (str(script),), SCRIPT


def _uvx(variables: Mapping[str, str]) -> str:
    """uvx by its absolute path, because desktop applications do not have a shell's PATH."""
    folders = variables.get("PATH", "")
    if variables.get("UV"):
        folders = f"{Path(variables['UV']).parent}{os.pathsep}{folders}"
    return shutil.which("uvx", path=folders) or "uvx"


def _source() -> str | None:
    """The source of this package for `uvx --from`; None for the package registry."""
    try:
        record = distribution(SCRIPT[0]).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    if record is None:
        return None
    found: dict[str, Any] = json.loads(record)
    url = str(found["url"])
    if vcs := found.get("vcs_info"):
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    if url.startswith("file:"):
        return url2pathname(unquote(urlsplit(url).path))
    return url
