"""The check of our prices against others' lists."""

from scripts import check_catalog

SMALL = {"mistral-small-latest": {"input": 0.15, "output": 0.6}}


def test_prices_that_two_lists_and_ours_share_are_no_difference():
    assert list(check_catalog.differences(SMALL, SMALL)) == []


def test_a_price_on_which_two_lists_agree_and_we_differ_is_named():
    moved = {"mistral-small-latest": {"input": 5.0, "output": 0.6}, "mistral-new": {"input": 1.0}}

    assert list(check_catalog.differences(moved, moved)) == [
        "mistral-new, input: ours is None, both lists say 1",
        "mistral-small-latest, input: ours is 0.15, both lists say 5",
    ]
    assert list(check_catalog.differences(moved, SMALL)) == []


def test_a_second_s_price_that_was_rounded_is_no_difference():
    minute = {"voxtral-mini-transcribe-3-0": {"minute": 5.83333e-05 * 60}}

    assert list(check_catalog.differences(minute, minute)) == []
