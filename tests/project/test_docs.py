"""What the documents say is so."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import pytest

import mistral_mcp
from mistral_mcp import tools
from mistral_mcp.cli.main import main
from mistral_mcp.cli.options import PREFIX, command_variables
from mistral_mcp.install import HOSTS, deeplink, stdio_entry
from mistral_mcp.mistral.transports.routes import carries
from mistral_mcp.route import Route
from mistral_mcp.settings import SETTINGS
from scripts import readme_tables

ROOT = Path(__file__).parents[2]
PACKAGE = Path(mistral_mcp.__file__).parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "manifests" / "README.md"])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(group: click.Group = main) -> Iterator[click.Command]:
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from commands(command)
        yield command


# What is asked of one run: a variable that was forgotten would take entries out, or ask nothing of nobody.
ONE_RUN = {"--version", "--help", "--ask-key", "--print", "--remove", "--all"}


def options() -> Iterator[tuple[str, click.Option]]:
    for command in [main, *commands()]:
        for option in command.params:
            if isinstance(option, click.Option):
                yield f"{command.name} {option.opts[0]}", option


def test_the_readme_s_tables_are_those_that_make_docs_writes():
    readme = read("README.md")

    assert readme_tables.rewrite(readme) == readme


def test_the_readme_names_every_setting_with_its_default():
    rows = {
        row.split("|")[1].strip(): row for row in read("README.md").splitlines() if row.startswith("| `MISTRAL_")
    }

    for name, field in SETTINGS.items():
        row = rows[f"`{PREFIX}{name.upper()}`"]
        assert field.description
        assert field.description in row
        assert not field.default or str(field.default).lower() in row.lower()


def test_the_readme_names_every_host_of_install():
    table = re.findall(r"(?m)^\| (.+?) \| `mistral-mcp install ([a-z-]+)` \|", read("README.md"))

    assert [(title, name) for title, name in table] == [(host.title, name) for name, host in HOSTS.items()]


def test_the_readme_s_first_code_is_the_two_commands():
    first = re.search(r"```\w*\n(.*?)```", read("README.md"), re.DOTALL)

    assert first
    assert [line.partition("#")[0].strip() for line in first[1].splitlines()] == ["make demo", "make test"]


def test_the_readme_names_every_command_and_only_those():
    shown = set(re.findall(r"`mistral-mcp ([a-z]+)[^`]*`", read("README.md")))

    assert shown | {"stdio"} == set(main.commands)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_in_the_documents_take_the_options_they_are_shown_with(document: Path):
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    for line in lines:
        words = line.partition("#")[0].split()
        if words[:1] != ["mistral-mcp"]:
            continue
        command: click.Command = main
        for word in words[1:]:
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
        known = {"--help"}.union(*(option.opts for option in command.params))
        assert {word for word in words if word.startswith("--")} <= known, line


def test_what_the_document_about_data_says_of_toolsets_is_said_of_all():
    section = read("docs/data.md").partition("## What stays at Mistral")[2].partition("\n## ")[0]

    assert sorted(re.findall(r"(?m)^\| `(\w+)` \|", section)) == sorted(tools.TOOLSETS)


def test_the_regions_carry_what_the_document_about_data_says():
    text = " ".join(read("docs/data.md").split())
    refused = re.search(r"with the reason: (.*?) and what else", text)
    assert refused
    stored = {
        "agents": "/v1/agents/completions",
        "batch": "/v1/batch/jobs",
        "conversations": "/v1/conversations",
        "files": "/v1/files",
        "libraries": "/v1/libraries",
        "web search": "/v1/conversations",
    }
    assert set(refused[1].split(", ")) == set(stored)
    for route in (Route(kind="eu"), Route(kind="us")):
        assert not any(carries(route, "POST", path) for path in stored.values())
        for path in ("chat/completions", "fim/completions", "embeddings", "moderations", "ocr"):
            assert carries(route, "POST", f"/v1/{path}")
        assert carries(route, "POST", "/v1/audio/transcriptions")
        assert carries(route, "POST", "/v1/audio/speech")


def test_the_makefile_has_every_command_that_the_documents_name():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"(?:`|^|\d )make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, document.name


def test_the_changelog_begins_with_the_version():
    versions = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)

    assert versions[0] == mistral_mcp.__version__


def test_the_map_of_the_rooms_has_every_room():
    drawn = read("CONTRIBUTING.md").partition("## The rooms")[2].partition("\n## ")[0]
    rooms = {path.name for path in PACKAGE.glob("*.py")} | {
        f"{path.parent.name}/" for path in PACKAGE.glob("*/*.py")
    }

    assert {room for room in rooms if not re.search(rf"(?<![\w.]){re.escape(room)}", drawn)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_the_documents_lead_somewhere(document: Path):
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]+)?\)", text)
    links += [(source, "") for source in re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)]

    for path, anchor in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            assert anchor[1:] in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}, (
                anchor
            )


def test_the_readme_s_install_links_carry_the_entries_of_their_hosts():
    found = dict(
        re.findall(r"\[([^]]+)\]\((https://(?:cursor\.com|insiders\.vscode\.dev)/[^)]+)\)", read("README.md"))
    )
    cursor, vscode = (parse_qs(urlsplit(found[host]).query) for host in ("Cursor", "VS Code"))

    assert json.loads(b64decode(cursor["config"][0])) == stdio_entry("cursor")
    assert json.loads(vscode["config"][0]) == stdio_entry("vscode")
    assert json.loads(vscode["inputs"][0]) == HOSTS["vscode"].beside["inputs"]
    assert cursor["name"] == vscode["name"] == ["mistral"]
    assert found == {
        HOSTS[host].title: deeplink(host, stdio_entry(host), web=True) for host in ("cursor", "vscode")
    }


@pytest.mark.parametrize("option", [pytest.param(option, id=name) for name, option in options()])
def test_every_option_says_what_it_does_and_which_variable_stands_for_it(option: click.Option):
    assert option.help
    if set(option.opts) & ONE_RUN:
        assert not option.envvar
        return
    setting = PREFIX + str(option.name).upper() if option.name in SETTINGS else None
    variable = option.envvar or setting
    assert variable
    assert str(variable).startswith(PREFIX)
    assert f"[env: {variable}]" in option.help


def test_no_variable_stands_for_two_things():
    single = [str(option.envvar) for _, option in options() if option.envvar]

    assert len(set(single)) == len(single)
    assert set(single) == set(command_variables(main))
    assert not {name.removeprefix(PREFIX).lower() for name in single} & set(SETTINGS)


def test_the_readme_names_the_options_that_have_no_variable():
    sentence = re.search(r"(?s)no variable.*?\.\n", read("README.md"))

    assert sentence
    assert set(re.findall(r"`(--[a-z-]+)`", sentence[0])) == ONE_RUN


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_pins_and_hashes_everything_and_names_no_host_and_no_path(lock: str):
    text = read(lock)

    blocks = re.split(r"\n(?=\w)", re.sub(r"(?m)^#.*\n", "", text).strip())
    assert len(blocks) > 30
    for block in blocks:
        assert re.match(r"[\w.-]+==[\w.]+( ; [^\n]+)? \\\n    --hash=sha256:", block), block[:80]
    assert not re.search(r"://|file:/|^-|--(?!hash)", text, re.MULTILINE)


def test_the_lock_pins_whatever_the_project_asks_for():
    asked = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = re.findall(r'^    "([a-z][\w-]+)(?:\[\w+\])?[><=]', asked, re.MULTILINE)
    pinned = set(re.findall(r"^([\w.-]+)==", read("requirements-dev.txt"), re.MULTILINE))

    assert len(names) > 10
    assert set(names) - pinned == set()
    assert set(re.findall(r"^\S+==\S+", read("requirements.txt"), re.MULTILINE)) <= set(
        re.findall(r"^\S+==\S+", read("requirements-dev.txt"), re.MULTILINE)
    )
