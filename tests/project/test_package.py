"""What is in the wheel and in the sdist."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest

from mistral_mcp import __version__

ROOT = Path(__file__).parents[2]
STEM = f"mistral_mcp-{__version__}"
CACHES = {"__pycache__", ".hypothesis", ".pytest_cache", ".ruff_cache"}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both were built: once, and with the installed build backend, so that nothing is downloaded."""
    if not (ROOT / "mistral_mcp").is_dir():
        pytest.skip("there is no source tree: these tests run against an installed package")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if built.returncode and "CI" not in os.environ:
        pytest.skip(f"the package cannot be built here: {(built.stderr or built.stdout)[-200:]}")
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(dist / f"{STEM}-py3-none-any.whl") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def sdist(dist: Path) -> set[str]:
    with tarfile.open(dist / f"{STEM}.tar.gz") as archive:
        return {member.name.removeprefix(f"{STEM}/") for member in archive.getmembers() if member.isfile()}


def test_the_wheel_holds_the_whole_package_its_data_and_nothing_else(wheel: dict[str, bytes]):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "mistral_mcp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in wheel if ".dist-info/" not in name} == package
    for needed in (
        *("py.typed", "__main__.py", "cli/main.py", "mistral/catalog.json", "sandbox/app.py", "install/hosts.py"),
        *(
            "hosting/web/pages/templates/connect.html",
            "hosting/web/pages/static/page.css",
            "hosting/web/pages/texts/fr.toml",
        ),
        *("hosting/vault/migrations/env.py", "hosting/vault/migrations/versions/0001_connections.py"),
    ):
        assert f"mistral_mcp/{needed}" in package
    assert {name.split("/")[0] for name in wheel} == {"mistral_mcp", f"{STEM}.dist-info"}
    assert not [name for name in wheel if name.endswith((".pyc", ".db", ".key", ".env", ".log"))]


def test_the_wheel_brings_its_licence_its_command_and_its_readme(wheel: dict[str, bytes]):
    info = f"{STEM}.dist-info"
    metadata = wheel[f"{info}/METADATA"].decode()

    assert wheel[f"{info}/licenses/LICENSE"].startswith(b"MIT License")
    assert b"mistral-mcp = mistral_mcp.cli.main:main" in wheel[f"{info}/entry_points.txt"]
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\n# mistral-mcp\n" in metadata


def test_only_the_oracle_s_users_need_the_oracle(wheel: dict[str, bytes]):
    asked = wheel[f"{STEM}.dist-info/METADATA"].decode().lower()

    assert "requires-dist: mcp" in asked
    assert "requires-dist: mistralai" not in asked
    assert "requires-dist: pytest" not in asked


def test_the_sdist_brings_all_that_its_own_tests_and_commands_need_and_no_stray_file(sdist: set[str]):
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = [ROOT / name.strip("/") for name in asked["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]]
    paths = chain(included, *(root.rglob("*") for root in included))
    files = [path for path in paths if path.is_file() and not CACHES & set(path.parts)]
    tree = {path.relative_to(ROOT).as_posix() for path in files}

    assert sdist == tree | {"pyproject.toml", "PKG-INFO", ".gitignore"}
    for needed in (
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "Dockerfile", ".dockerignore"),
        *(
            "requirements.txt",
            "requirements-dev.txt",
            "docs/hosting.md",
            "docs/security.md",
            "docs/connect-page.png",
        ),
        *("manifests/compose.yaml", "manifests/server.json", ".claude-plugin/marketplace.json"),
        *(
            "tests/conftest.py",
            "tests/fixtures/install/goose.yaml",
            "benchmarks/__main__.py",
            "scripts/manifests.py",
        ),
    ):
        assert needed in sdist
    stray = re.compile(
        r"(^|/)(\.venv|\.git|\.env|dist|build|node_modules|__pycache__)(/|$)|\.(pyc|db|key|log|bak)$"
    )
    assert not [name for name in sdist if stray.search(name)]
