"""The French README is in step with the English one."""

import re
from itertools import chain
from pathlib import Path

import pytest

from scripts import readme_tables

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
FRENCH = (ROOT / "README.fr.md").read_text(encoding="utf-8")
GENERATED = re.compile(r"<!-- (\w+): written by make docs -->\n(.*?)<!-- end of \1 -->\n", re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def strip_tables(readme: str) -> str:
    """Without the tables that `make docs` writes."""
    return GENERATED.sub("", readme)


def headings(readme: str) -> list[str]:
    """Their levels: the words differ."""
    return re.findall(r"^(#+) ", FENCED.sub("", readme), re.MULTILINE)


def tables(readme: str) -> list[list[str]]:
    """The rows of each table that is written by hand."""
    found = re.findall(r"(?:^\|.*\n)+", FENCED.sub("", strip_tables(readme)), re.MULTILINE)
    return [table.splitlines() for table in found]


def code(text: str) -> list[str]:
    """What stands in backticks, which no language changes."""
    return re.findall(r"`([^`]+)`", text)


def commands(block: str) -> list[str]:
    return [line.partition(" #")[0].rstrip() for line in block.splitlines()]


def test_it_has_the_same_headings():
    assert headings(FRENCH) == headings(ENGLISH)


def test_its_tables_have_the_same_rows_with_the_same_names():
    assert len(tables(FRENCH)) == len(tables(ENGLISH))
    for french, english in zip(tables(FRENCH), tables(ENGLISH), strict=True):
        assert len(french) == len(english), english[0]
        for ours, theirs in zip(french, english, strict=True):
            assert ours.replace("\\|", "").count("|") == theirs.replace("\\|", "").count("|"), theirs
            assert code(ours) == code(theirs), theirs


def test_its_code_is_the_same_except_for_the_comments():
    ours, theirs = (
        [(kind, commands(block)) for kind, block in FENCED.findall(text)] for text in (FRENCH, ENGLISH)
    )

    assert ours == theirs


def test_its_text_names_the_same_things():
    def names_in_text(readme: str) -> set[str]:
        return set(code(FENCED.sub("", strip_tables(readme))))

    assert names_in_text(FRENCH) == names_in_text(ENGLISH)


def test_it_links_to_the_same_places():
    def links(readme: str) -> set[str]:
        found = re.findall(r"\]\(([^)#][^)]*)\)|<(https://[^>]+)>", readme)
        return {first or second for first, second in found} - {"README.md", "README.fr.md", "README.md#tools"}

    assert links(FRENCH) == links(ENGLISH)


def test_its_tables_are_those_that_make_docs_writes():
    assert readme_tables.rewrite(FRENCH, french=True) == FRENCH


@pytest.mark.parametrize("name", ["toolsets", "costs", "settings", "options"])
def test_every_text_of_a_generated_table_is_translated(name: str):
    known = readme_tables.translations()
    rows = [row.split("|") for row in readme_tables.TABLES[name]()]
    cells = {cell.strip() for cell in chain.from_iterable(rows)}
    texts = {cell for cell in cells if re.search(r"[a-z]{2}", re.sub(r"`[^`]*`|\*\*\w+\*\*", "", cell))}
    lists = {cell for cell in texts if " · " in cell or re.fullmatch(r"\w+", cell)} - set(known)
    prices = {cell for cell in texts if re.match(r"[\d.]+( input|; )", cell)}

    assert texts - lists - prices <= set(known)
