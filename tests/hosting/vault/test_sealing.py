"""Seal and unseal."""

import pytest

from mistral_mcp.hosting.vault.sealing import (
    MasterKeyMissing,
    MasterKeys,
    SealBroken,
    is_outdated,
    new_key,
    seal,
    unseal,
)

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
    assert caught.value.key_id == str(caught.value) == ring.first
    assert bytes.fromhex(ring.first) not in KEY


def test_each_master_key_derives_a_key_for_each_purpose_and_always_the_same():
    ring = MasterKeys([KEY, OTHER])
    one, other = ring.derive_keys("a purpose"), ring.derive_keys("another purpose")

    assert [*MasterKeys([KEY]).derive_keys("a purpose"), *MasterKeys([OTHER]).derive_keys("a purpose")] == one
    assert ring.derive_keys("a purpose") == one
    assert len({*one, *other}) == 4
    assert {len(key) for key in one} == {32}


def test_what_was_derived_or_named_by_an_older_release_is_found_again():
    ring = MasterKeys([bytes(range(32))])

    assert ring.first == "4b817baa"
    assert (
        ring.derive_keys("a purpose")[0].hex()
        == "3625f93eafcae95a0ba58bcd7b3d6cccd55101af82f6aef0cb86166ba8730534"
    )


def test_only_an_older_seal_is_outdated():
    sealed = seal(KEY, PLAIN, "row")

    assert not is_outdated(None)
    assert not is_outdated(sealed)
    assert is_outdated(sealed.replace(b"seal-2", b"seal-1", 1))
    with pytest.raises(SealBroken):
        is_outdated(b"no seal at all")
