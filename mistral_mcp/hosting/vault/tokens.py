"""A connection's token: its format, and the two values derived from it.

`mmcp_`, 256 random bits and their checksum, in letters and digits only, so that a double click selects it whole. A
mistyped one is recognised without the database.
"""

import secrets
import string
import zlib
from dataclasses import dataclass
from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from mistral_mcp.credentials import TOKEN_PREFIX
from mistral_mcp.errors import RefusedCredential

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
_BITS = 256
_BODY, _CHECKSUM = 43, 6  # characters for 256 and 32 bits, in base 62


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed token; whether it exists, only the database knows."""

    text: SecretStr
    digest: bytes
    """Finds the row. It opens nothing: the key is derived under another label."""

    def key(self) -> bytes:
        """The key that wraps the data key; derived each time, and stored nowhere."""
        return _derive(_raw(self.text.get_secret_value()), b"sealing")


def new_token() -> Token:
    """A new random token."""
    body = _encode(secrets.randbits(_BITS), _BODY)
    return parse_token(SecretStr(TOKEN_PREFIX + body + _checksum(body)))


def parse_token(text: SecretStr) -> Token:
    """Raises `RefusedCredential` if the checksum is wrong. Case matters."""
    return Token(text, _derive(_raw(text.get_secret_value()), b"look-up"))


def _raw(text: str) -> bytes:
    body, checksum = text[len(TOKEN_PREFIX) : -_CHECKSUM], text[-_CHECKSUM:]
    if (
        not text.startswith(TOKEN_PREFIX)
        or len(body) != _BODY
        or not body.isascii()
        or checksum != _checksum(body)
    ):
        _refuse()
    try:
        return _decode(body).to_bytes(_BITS // 8)
    except (KeyError, OverflowError):
        _refuse()


def _refuse() -> NoReturn:
    raise RefusedCredential(
        "The token is mistyped or cut short: its checksum is wrong.",
        "Copy it again, whole; upper and lower case differ.",
    ) from None


def _derive(raw: bytes, label: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"mistral-mcp token 1 " + label).derive(raw)


def _checksum(body: str) -> str:
    """CRC-32, which detects every single wrong character and every swapped pair."""
    return _encode(zlib.crc32((TOKEN_PREFIX + body).encode()), _CHECKSUM)


def _encode(number: int, size: int) -> str:
    characters: list[str] = []
    for _ in range(size):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))


def _decode(text: str) -> int:
    number = 0
    for character in text:
        number = number * len(_ALPHABET) + _DIGITS[character]
    return number
