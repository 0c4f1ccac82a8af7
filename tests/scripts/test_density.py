"""How dense the code reads, and whether its functions are verbs: `python scripts/density.py` says where it is not so."""

from pathlib import Path

import pytest

from scripts.density import LIMITS_OF, is_named_by_participle, measure
from tests.project.test_layers import PACKAGE


@pytest.mark.parametrize("folder", LIMITS_OF)
def test_the_code_reads_no_denser_than_it_may(folder: str):
    density = measure(PACKAGE.parent / folder)
    rates = density.rates()

    dense = {rate: rates[rate] for rate, limit in LIMITS_OF[folder].items() if round(rates[rate], 2) > limit}

    assert not dense, density.places()


@pytest.mark.parametrize(
    "expression",
    ["1 if a else 2 if b else 3", "[1 if a else 2 for a in (3 if b else 4)] if c else 5", "f'{1 if a else 2}'"],
)
def test_a_conditional_within_another_or_within_an_f_string_is_found(tmp_path: Path, expression: str):
    (tmp_path / "module.py").write_text(f"x = {expression}\ny = 1 if a else 2\nz = f'{{x}}'\n", encoding="utf-8")

    assert measure(tmp_path).nested == ["module.py:1"]


@pytest.mark.parametrize("loops", ["for a in b for c in a", "for a in b if a if not c"])
def test_a_comprehension_with_two_loops_or_two_conditions_is_found(tmp_path: Path, loops: str):
    (tmp_path / "module.py").write_text(f"x = [c {loops}]\ny = [a for a in b if a and c]\n", encoding="utf-8")

    assert measure(tmp_path).crowded == ["module.py:1"]


@pytest.mark.parametrize("name", ["told", "_shown", "told_by", "unquoted", "_parsed"])
def test_a_participle_is_found(name: str):
    assert is_named_by_participle(name)


@pytest.mark.parametrize("name", ["is_sent", "allowed_hosts", "embed", "has_ended", "read", "parse_headers"])
def test_a_verb_a_predicate_and_the_noun_of_what_is_returned_are_fine(name: str):
    assert not is_named_by_participle(name)
