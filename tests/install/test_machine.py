"""What starts this very server."""

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mistral_mcp.install import Machine, start_command
from mistral_mcp.install.entries import command_of
from mistral_mcp.install.plan import plan
from tests.install.machines import SCRIPT


@pytest.fixture
def uvx_python(tmp_path: Path) -> Path:
    """The interpreter of an environment as uvx makes them."""
    python = tmp_path / "cache" / "archive-v0" / "wxxT1njAiPsDYwyb" / "bin" / "python"
    python.parent.mkdir(parents=True)
    return python


def executable(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def write_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, record: dict[str, object] | None) -> None:
    """What an installer writes down beside a package."""
    (tmp_path / "METADATA").write_text("Name: mistral-mcp\n")
    if record is not None:
        (tmp_path / "direct_url.json").write_text(json.dumps(record))
    monkeypatch.setattr(metadata.Distribution, "from_name", lambda _: metadata.PathDistribution(tmp_path))


def test_the_script_that_was_run_is_what_an_entry_starts(tmp_path: Path):
    script = executable(tmp_path / "bin" / "mistral-mcp")

    command, portable = start_command(str(script), sys.executable, {})

    assert command == (str(script),)
    assert portable == ("mistral-mcp",)


def test_a_script_named_by_a_relative_path_is_written_with_its_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script = executable(tmp_path / "bin" / "mistral-mcp")
    monkeypatch.chdir(tmp_path)

    assert start_command("bin/mistral-mcp", sys.executable, {})[0] == (str(script),)


def test_where_the_module_was_run_it_is_the_script_beside_the_interpreter_or_the_module(tmp_path: Path):
    python = executable(tmp_path / "venv" / "bin" / "python")
    module = "/somewhere/mistral_mcp/__main__.py"

    assert start_command(module, str(python), {})[0] == (str(python), "-m", "mistral_mcp")
    script = executable(python.parent / "mistral-mcp")
    assert start_command(module, str(python), {})[0] == (str(script),)


@pytest.mark.parametrize(
    ("record", "source", "portable"),
    [
        (None, (), ("uvx", "mistral-mcp")),
        (
            {"url": "file:///home/ada/mistral%20mcp", "dir_info": {}},
            ("--from", "/home/ada/mistral mcp"),
            ("mistral-mcp",),
        ),
        (
            {"url": "https://git.example/m.git", "vcs_info": {"vcs": "git", "commit_id": "abc1"}},
            ("--from", "git+https://git.example/m.git@abc1"),
            ("uvx", "--from", "git+https://git.example/m.git@abc1", "mistral-mcp"),
        ),
        (
            {"url": "https://host.example/mistral_mcp-1.whl", "archive_info": {}},
            ("--from", "https://host.example/mistral_mcp-1.whl"),
            ("uvx", "--from", "https://host.example/mistral_mcp-1.whl", "mistral-mcp"),
        ),
    ],
    ids=["registry", "folder", "git", "archive"],
)
def test_from_uvx_it_is_uvx_with_the_source_it_was_run_from(
    uvx_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record, source, portable
):
    write_metadata(monkeypatch, tmp_path, record)
    uvx = executable(tmp_path / "uv" / "uvx")

    found = start_command(str(uvx_python.parent / "mistral-mcp"), str(uvx_python), {"UV": str(uvx.parent / "uv")})

    assert found == ((str(uvx), *source, "mistral-mcp"), portable)


def test_uvx_on_the_path_does_not_matter_to_what_was_installed(machine: Machine):
    executable(machine.home / "bin" / "uvx")

    assert command_of(plan(machine, "cursor").entry()) == [SCRIPT]
    assert command_of(plan(machine, "cursor", scope="project").entry()) == ["mistral-mcp"]


@pytest.mark.skipif(os.name != "posix", reason="scripts have an ending there")
def test_the_script_of_this_environment_can_be_started():
    command, _ = start_command("pytest", sys.executable, {})

    assert Path(command[0]).is_absolute()
    assert os.access(command[0], os.X_OK)
