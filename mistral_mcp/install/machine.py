"""What of a machine an installation depends on: where files are, and what starts this very server."""

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
    """What of a machine an installation depends on. Only `cli` looks it up."""

    platform: str
    """As `sys.platform` has it."""
    home: Path
    project: Path
    """The folder a project's own entries belong to."""
    command: tuple[str, ...]
    """What starts this very server."""
    portable_command: tuple[str, ...] = SCRIPT
    """The same for a file that is committed, without a path of this machine."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """The environment: PATH, and the variables that move a host's files."""

    def variable(self, name: str, default: Path) -> Path:
        """The folder a variable names, where it is set."""
        return Path(self.variables.get(name) or default)

    def find_program(self, name: str) -> str | None:
        """A program on PATH."""
        return shutil.which(name, path=self.variables.get("PATH", ""))

    def application_data(self, file: str) -> Path:
        """Where desktop applications keep their settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / file
        return self.dot_config(file, file)

    def dot_config(self, file: str, windows: str) -> Path:
        """Where programs with Unix manners keep theirs."""
        if self.platform == "win32":
            return self.variable("APPDATA", self.home / "AppData" / "Roaming") / windows
        folder = self.home / ".config"
        if self.platform == "linux":
            folder = self.variable("XDG_CONFIG_HOME", folder)
        return folder / file


def start_command(
    invoked: str, python: str, variables: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What starts this very server, here and on another machine. `invoked` is how this process was started.

    An environment that uvx made is gone some day, so there it is uvx with the source it was run from. Everywhere else it
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
    """By its path, because desktop applications do not know what a shell adds to PATH."""
    folders = variables.get("PATH", "")
    if variables.get("UV"):
        folders = f"{Path(variables['UV']).parent}{os.pathsep}{folders}"
    return shutil.which("uvx", path=folders) or "uvx"


def _source() -> str | None:
    """Where this package was installed from, as `uvx --from` takes it; None for the package registry."""
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
