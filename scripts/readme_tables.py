"""Update the tables of both READMEs from the code: tools, settings, and options of single commands. `make docs` runs it.

A test fails if the tables are out of date. The French tables are translated cell by cell with `readme_fr.tsv`, each line of which
has a text and its translation. A cell without a translation stays English, and a test asks for one.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import mistral_mcp
from mistral_mcp import tools
from mistral_mcp.cli.main import main

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `benchmarks`, which is not in the package
from benchmarks import tokens
from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.settings import SETTINGS

ROOT = Path(__file__).parents[1]
README, FRENCH = ROOT / "README.md", ROOT / "README.fr.md"
PACKAGE = Path(mistral_mcp.__file__).parent


def tool_table() -> Iterator[str]:
    costs = tokens.costs()
    yield "| toolset | tool | what it does | tokens |"
    yield "|---|---|---|---|"
    for toolset, built in tools.build_all().items():
        yield f"| **{toolset}** | | | **{sum(costs[toolset].values())}** |"
        for tool in built:
            yield f"| | `{tool.name}` | {' '.join(tool.description.split())} | {costs[toolset][tool.name]} |"


def toolsets_table() -> Iterator[str]:
    costs = tokens.costs()
    yield "| toolset | its tools | tokens |"
    yield "|---|---|---|"
    for toolset, built in tools.build_all().items():
        names = " · ".join(tool.name.removeprefix("mistral_") for tool in built)
        yield f"| **{toolset}** | {names} | {sum(costs[toolset].values())} |"


def settings_table() -> Iterator[str]:
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    read = set(re.findall(r"\bsettings\.(\w+)", code))
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in SETTINGS.items():
        later = "" if name in read else " *Not in effect yet.*"
        yield f"| `MISTRAL_MCP_{name.upper()}` | {default(field.default)} | {field.description}{later} |"


def options_table() -> Iterator[str]:
    """The variables for options of single commands, which are not settings."""
    yield "| variable | default | stands for | meaning |"
    yield "|---|---|---|---|"
    for path, option in sorted(options_of(main, ()), key=lambda found: found[0]):
        if option.envvar:
            about = str(option.help).partition(" [env: ")[0]
            given = None if option.is_flag or option.required or not option.default else option.default
            usual = default(given if isinstance(given, str | int) else None)
            yield f"| `{option.envvar}` | {usual} | `{' '.join(path)} {option.opts[0]}` | {about} |"


def options_of(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Option]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from options_of(command, (*path, name))
        yield from (((*path, name), option) for option in command.params if isinstance(option, click.Option))


COSTS = {
    "A million tokens of chat": (
        "mistral-small-latest",
        "mistral-medium-latest",
        "mistral-large-4",
        "zai-glm-5-3",
    ),
    "A million tokens of code": ("codestral-latest",),
    "A million tokens embedded": ("mistral-embed", "codestral-embed"),
    "A million tokens moderated": ("mistral-moderation-latest",),
    "1,000 pages read": ("mistral-ocr-latest",),
    "A minute transcribed": ("voxtral-mini-latest", "voxtral-mini-transcribe-3-0", "voxtral-small-transcribe-3-0"),
    "A million characters spoken": ("voxtral-mini-tts-latest", "voxtral-mini-tts-3-0"),
}


def costs_table() -> Iterator[str]:
    """Mistral's prices, from the catalogue."""
    catalog = Catalog.load()
    yield "| what | model | US dollars |"
    yield "|---|---|---|"
    for what, models in COSTS.items():
        for model in models:
            yield f"| {what} | `{model}` | {price_text(catalog, model)} |"


def price_text(catalog: Catalog, model: str) -> str:
    price = catalog.price_of(model)
    if price is None:
        raise SystemExit(f"{model} has no price")
    units = {unit.per: f"{unit.usd:g}" for unit in price.units}
    if annotated := units.get("1000 annotated pages"):
        return f"{units['1000 pages']}; {annotated} with a schema"
    if price.input_usd_per_mtok is None:
        return next(iter(units.values()))
    if price.output_usd_per_mtok is None:
        return f"{price.input_usd_per_mtok:g}"
    return f"{price.input_usd_per_mtok:g} input, {price.output_usd_per_mtok:g} output"


def default(value: object) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value}`"


TABLES = {
    "toolsets": toolsets_table,
    "tools": tool_table,
    "costs": costs_table,
    "settings": settings_table,
    "options": options_table,
}


def translations() -> dict[str, str]:
    lines = (Path(__file__).parent / "readme_fr.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def translate_row(row: str, known: dict[str, str]) -> str:
    cells = row.strip("|").split("|")
    return f"|{'|'.join(f' {translate(cell.strip(), known)} ' for cell in cells)}|"


def translate(cell: str, known: dict[str, str]) -> str:
    cell = re.sub(r"^([\d.]+) input, ([\d.]+) output$", r"\1 en entrée, \2 en sortie", cell)
    return re.sub(r"; ([\d.]+) with a schema$", r" ; \1 avec un schéma", known.get(cell, cell))


def rewrite(readme: str, *, french: bool = False) -> str:
    """The README with the content between its markers replaced."""
    known = translations()
    for name, write in TABLES.items():
        begin, end = f"<!-- {name}: written by make docs -->", f"<!-- end of {name} -->"
        if begin not in readme:
            continue
        table = list(write())
        if french:
            table = [translate_row(row, known) for row in table]
        before, rest = readme.split(begin)
        after = rest.split(end)[1]
        readme = "\n".join([before + begin, *table, end + after])
    return readme


if __name__ == "__main__":
    README.write_text(rewrite(README.read_text(encoding="utf-8")), encoding="utf-8")
    FRENCH.write_text(rewrite(FRENCH.read_text(encoding="utf-8"), french=True), encoding="utf-8")
