"""The format of a token, and that a mistyped one is recognised."""

import re
import string
from itertools import product

import pytest
from pydantic import SecretStr

from mistral_mcp.errors import RefusedCredential
from mistral_mcp.hosting.vault.tokens import new_token, parse_token
from mistral_mcp.masking import MASK, mask_shapes


def text_of_new_token() -> str:
    return new_token().text.get_secret_value()


def is_refused(text: str) -> bool:
    try:
        parse_token(SecretStr(text))
    except RefusedCredential:
        return True
    return False


def test_a_token_is_one_word_of_letters_and_digits_behind_its_prefix():
    assert re.fullmatch(r"mmcp_[0-9A-Za-z]{49}", text_of_new_token())


def test_no_two_tokens_are_alike():
    assert len({text_of_new_token() for _ in range(1000)}) == 1000


def test_a_token_leads_to_the_same_digest_and_key_each_time():
    token = new_token()
    again = parse_token(SecretStr(token.text.get_secret_value()))

    assert (again.digest, again.key()) == (token.digest, token.key())


def test_neither_digest_nor_key_gives_the_other_or_the_token_away():
    token = new_token()

    assert token.digest != token.key()
    assert len({token.digest, token.key(), new_token().digest, new_token().key()}) == 4


def test_a_token_is_not_shown_by_accident():
    token = new_token()

    assert token.text.get_secret_value() not in f"{token} {token!r}"
    assert mask_shapes(f"the token {token.text.get_secret_value()}") == f"the token {MASK}"


def test_every_single_wrong_character_is_recognised():
    text = text_of_new_token()
    characters = string.ascii_letters + string.digits + "-_ "
    wrong = {
        text[:place] + character + text[place + 1 :] for place, character in product(range(len(text)), characters)
    } - {text}

    assert {each for each in wrong if not is_refused(each)} == set()


def test_neighbours_that_changed_places_are_recognised():
    text = text_of_new_token()
    swapped = {
        text[:place] + text[place + 1] + text[place] + text[place + 2 :] for place in range(5, len(text) - 1)
    }

    assert {each for each in swapped - {text} if not is_refused(each)} == set()


@pytest.mark.parametrize(
    "spoil",
    [
        str.lower,
        str.upper,
        lambda text: "MMCP_" + text[5:],
        lambda text: text[:-1],
        lambda text: text[:20],
        lambda text: text + "0",
        lambda text: f" {text}",
        lambda text: text + "\n",
        lambda text: text.replace("mmcp_", "mmcp_٣"),
        lambda _: "mmcp_",
        lambda _: "",
        lambda _: "mmcp_" + "é" * 49,
    ],
)
def test_anything_else_is_refused(spoil):
    assert is_refused(spoil(text_of_new_token()))


def test_a_number_beyond_256_bits_is_no_token_even_with_the_right_checksum():
    assert is_refused("mmcp_" + "z" * 43 + "2gPjIn")


def test_tokens_that_were_given_out_stay_good_in_later_versions():
    token = parse_token(SecretStr("mmcp_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf42mo8W"))

    assert token.digest.hex() == "07254160fbcf6005cb03cdca0e20356492fda15e78875a1b717d1a93fcd75b63"
    assert token.key().hex() == "903486007e79163a3936a35e62d0160b8be5ff81c4944d0dd47e854720b0b285"
