"""The proof of isolation fails where a bound is exceeded, and not where the machine was busy with something else."""

import pytest

from scripts.isolation.__main__ import Observation
from scripts.isolation.attacks import attacks

IDLE = Observation(gap=0.05, call=0.1, mistral=0.1)


@pytest.mark.parametrize(
    ("seen", "exceeds"),
    [
        (Observation(gap=0.4, call=0.6, mistral=0.2, memory=255), False),
        (Observation(gap=0.6), True),
        (Observation(call=0.9, mistral=0.2), True),
        (Observation(call=3.0, mistral=2.9), False),
        (Observation(memory=257), True),
        (Observation(failed=1), True),
        (Observation(gap=0.9, busy=2.0), False),
        (Observation(gap=1.1, busy=2.0), True),
    ],
    ids=["all hold", "gap", "call", "Mistral was slow", "memory", "failed", "a busy machine", "too slow even so"],
)
def test_a_bound_that_does_not_hold_is_seen(seen: Observation, exceeds: object):
    assert seen.exceeds(IDLE) is exceeds


def test_no_bound_is_lower_than_what_the_machine_does_by_itself():
    assert not Observation(gap=0.8).exceeds(Observation(gap=0.3))
    assert Observation(gap=0.8).exceeds(Observation(gap=0.2))


def test_attacks_go_to_what_is_read_computed_kept_and_held_open():
    names = " ".join(attacks())

    for what in ("messages", "prompt", "schema", "embed", "file", "unread", "unfinished", "idle", "paths"):
        assert what in names
