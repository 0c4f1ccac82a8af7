"""Seal and unseal."""

import pytest

from mistral_mcp.hosting.vault.sealing import MasterKeyMissing, MasterKeys, SealBroken, new_key, seal, unseal

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
PLAIN = b"a Mistral key"


def test_what_was_sealed_opens_with_the_same_key_and_context():
    assert unseal(KEY, seal(KEY, PLAIN, "row", "field"), "row", "field") == PLAIN


def test_sealed_twice_it_never_looks_the_same():
    assert len({seal(KEY, PLAIN, "row") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "context",
    [
        (),
        ("row",),
        ("row", "fields"),
        ("other", "field"),
        ("field", "row"),
        ("ro", "wfield"),
        ("row", "field", ""),
    ],
)
def test_nothing_opens_in_another_context(context: tuple[str, ...]):
    with pytest.raises(SealBroken):
        unseal(KEY, seal(KEY, PLAIN, "row", "field"), *context)


def test_nothing_opens_with_another_key():
    with pytest.raises(SealBroken):
        unseal(OTHER, seal(KEY, PLAIN, "row"), "row")


def test_nothing_opens_with_any_byte_changed_or_missing():
    sealed = seal(KEY, PLAIN, "row")
    spoiled = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))]
    spoiled += [sealed[:size] for size in range(len(sealed))]

    for each in [*spoiled, sealed + b"\0"]:
        with pytest.raises(SealBroken):
            unseal(KEY, each, "row")


def test_what_was_sealed_opens_in_later_versions():
    sealed = bytes.fromhex(
        "6d6d63702d7365616c2d3100c2e4a16eff39acd9d4621289a305c02eb4ade3a0877cf86d1b22bdfca0b62ce78233ccd452964e16ce"
    )

    assert unseal(KEY, sealed, "row", "field") == PLAIN
    assert MasterKeys([KEY]).first == "4b817baa"


def test_keys_are_random_and_of_256_bits():
    keys = {new_key() for _ in range(100)}

    assert {len(key) for key in keys} == {32}
    assert len(keys) == 100


def test_the_first_master_key_seals_and_all_open():
    before = MasterKeys([OTHER])
    ring = MasterKeys([KEY, OTHER])

    assert ring.unseal(before.first, before.seal(PLAIN, "row"), "row") == PLAIN
    assert MasterKeys([KEY]).unseal(ring.first, ring.seal(PLAIN, "row"), "row") == PLAIN
    assert before.first in ring
    assert ring.first not in before


def test_a_master_key_that_is_missing_is_named_by_its_digest():
    ring = MasterKeys([KEY])

    with pytest.raises(MasterKeyMissing) as caught:
        MasterKeys([OTHER]).unseal(ring.first, ring.seal(PLAIN, "row"), "row")
    assert caught.value.key_id == ring.first
    assert bytes.fromhex(ring.first) not in KEY
