"""How dense the package reads, and whether its functions are verbs: `python scripts/density.py` says where it is not so."""

import pytest

from scripts.density import LIMITS, is_named_by_participle, measure
from tests.project.test_layers import PACKAGE


@pytest.mark.parametrize("rate", LIMITS)
def test_the_package_reads_no_denser_than_it_may(rate: str):
    assert round(measure(PACKAGE).rates()[rate], 2) <= LIMITS[rate]


@pytest.mark.parametrize("name", ["told", "_shown", "told_by", "unquoted", "_parsed"])
def test_a_participle_is_found(name: str):
    assert is_named_by_participle(name)


@pytest.mark.parametrize("name", ["is_sent", "allowed_hosts", "embed", "has_ended", "read", "parse_headers"])
def test_a_verb_a_predicate_and_the_noun_of_what_is_returned_are_fine(name: str):
    assert not is_named_by_participle(name)
