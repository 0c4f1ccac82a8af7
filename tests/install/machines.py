"""A machine to install on, and the content of its hosts' files."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from mistral_mcp.cli.main import main
from mistral_mcp.install import HOSTS, Machine, apply, json_text
from mistral_mcp.install.apply import Outcome
from mistral_mcp.install.plan import plan

FIXTURES = Path(__file__).parents[1] / "fixtures" / "install"
KEY = "CaNaRy0123456789abcdefghijklmnop"
TOKEN = "mmcp_CANARY0123456789abcdefghijklmnopqrstuvwxyz"
SECRET_URL = f"https://mcp.example.com/c/{TOKEN}/mcp"
REMOTE = "https://mcp.example.com/mcp"
SCRIPT = "/opt/tools/bin/mistral-mcp"

ASKING = [host.name for host in HOSTS.values() if host.stdio_reference is None]
FILES = sorted(FIXTURES.iterdir())
"""Every host's file as a user might have it; some with comments and trailing commas."""


def make_machine(home: Path, platform: str = "linux", **variables: str) -> Machine:
    paths = {"PATH": str(home / "bin"), **variables}
    return Machine(platform, home, home / "project", (SCRIPT,), variables=paths)


def host_of(file: Path) -> str:
    return file.name.split(".")[0]


def fixture_of(host: str) -> bytes:
    return (FIXTURES / f"{host}.{HOSTS[host].language}").read_bytes()


def key_for(host: str) -> str | None:
    """What a person types in where the host cannot refer to the environment."""
    return KEY if host in ASKING else None


def data(host: str, content: str) -> Any:
    match HOSTS[host].language:
        case "json":
            return json_text.parse(content)
        case "toml":
            return tomllib.loads(content)
        case _:
            return YAML(typ="safe", pure=True).load(content)


def servers(host: str, content: str) -> dict[str, Any]:
    found = data(host, content)[HOSTS[host].servers]
    return {item["name"]: item for item in found} if isinstance(found, list) else found


def backups(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.bak"))


def install(machine: Machine, host: str, key: str | None = None, **asked: Any) -> Outcome:
    return apply.install(machine, plan(machine, host, **asked), key)


def remove(machine: Machine, host: str, **asked: Any) -> Outcome:
    return apply.remove(plan(machine, host, **asked))


def run(machine: Machine, *arguments: str, typed: str = "", **variables: str) -> Result:
    """`mistral-mcp install` with what a person types."""
    environment = {
        "HOME": str(machine.home),
        "PATH": machine.variables["PATH"],
        "XDG_CONFIG_HOME": "",
        **variables,
    }
    return CliRunner().invoke(main, ["install", *arguments], input=typed, env=environment, catch_exceptions=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "project").mkdir()
    return make_machine(tmp_path)


@pytest.fixture
def put(machine: Machine) -> Callable[[str, bytes], Path]:
    """Writes a host's file as the user has it."""

    def write(host: str, content: bytes) -> Path:
        file = HOSTS[host].file(machine)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o640)
        return file

    return write


@pytest.fixture
def program(machine: Machine) -> Callable[..., Path]:
    """Puts a program on PATH that writes its arguments down, then does what it is given."""

    def make(name: str, then: str = "") -> Path:
        arguments = machine.home / f"{name}.argv"
        file = machine.home / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >> {arguments}\n{then}\n")
        file.chmod(0o755)
        return arguments

    return make
