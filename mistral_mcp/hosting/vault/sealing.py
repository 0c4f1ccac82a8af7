"""Seal and unseal: AES-256-GCM under a key, bound to a context. There is no I/O here.

A sealed text is `version || nonce || ciphertext and tag`. Version and context (which row, which field, what it is for)
are authenticated with it, so that no sealed text can be moved to another place, or be read by another version's rules.
The versions differ in what `records` binds a secret to: since version 2 also to what its connection may do.

Who may open what, from the inside out:

    the Mistral key   under a data key, random, one for a connection
    the data key      under the token's own key, once for each token
    that, wrapped     under a master key: the one layer that `reseal` renews, which needs no token
"""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSIONS = {1: b"mmcp-seal-1\0", 2: b"mmcp-seal-2\0"}
_NEWEST = 2
_NONCE = 12


class SealBroken(Exception):
    """Raised by `unseal`: another key, another context, or changed bytes; which of them cannot be told apart."""


class MasterKeyMissing(Exception):
    """Raised by `MasterKeys.unseal`: the ring has no such key. `key_id` says which."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id


def new_key() -> bytes:
    return AESGCM.generate_key(256)


def seal(key: bytes, plain: bytes, *context: str) -> bytes:
    """Encrypt, with the newest version."""
    version, nonce = _VERSIONS[_NEWEST], os.urandom(_NONCE)
    return version + nonce + AESGCM(key).encrypt(nonce, plain, _associated_data(version, context))


def unseal(key: bytes, sealed: bytes, *context: str) -> bytes:
    """Decrypt, with the version it was sealed by, which `seal_version` returns for contexts that depend on it."""
    version = _VERSIONS[seal_version(sealed)]
    start = len(version) + _NONCE
    if len(sealed) < start:
        raise SealBroken
    try:
        return AESGCM(key).decrypt(
            sealed[len(version) : start], sealed[start:], _associated_data(version, context)
        )
    except InvalidTag:
        raise SealBroken from None


def seal_version(sealed: bytes) -> int:
    """Raises `SealBroken`."""
    for number, prefix in _VERSIONS.items():
        if sealed.startswith(prefix):
            return number
    raise SealBroken


def is_outdated(sealed: bytes | None) -> bool:
    return sealed is not None and seal_version(sealed) < _NEWEST


def _associated_data(version: bytes, context: Sequence[str]) -> bytes:
    """Version and context as associated data; lengths in front, so that no two contexts look the same."""
    parts = [part.encode() for part in context]
    return version + b"".join(len(part).to_bytes(4) + part for part in parts)


class MasterKeys:
    """A key ring: the first key seals, all unseal. A row's `key_id` says which key it is under."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_key_id(key): key for key in keys}
        self.first = _key_id(keys[0])
        self._derived: dict[str, list[bytes]] = {}
        """Derived keys by purpose, cached: some are needed for every call."""

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys

    def seal(self, plain: bytes, *context: str) -> bytes:
        """Seal under the first key; store `first` with the result."""
        return seal(self._keys[self.first], plain, *context)

    def unseal(self, key_id: str, sealed: bytes, *context: str) -> bytes:
        if key_id not in self._keys:
            raise MasterKeyMissing(key_id)
        return unseal(self._keys[key_id], sealed, *context)

    def derive_keys(self, purpose: str) -> list[bytes]:
        """Keys for another purpose, derived from each of the ring: the first for new data, all for existing data."""
        if purpose not in self._derived:
            info = f"mistral-mcp master key 1 {purpose}".encode()
            self._derived[purpose] = [
                HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(key) for key in self._keys.values()
            ]
        return self._derived[purpose]


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"mistral-mcp master key id\0" + key).hexdigest()[:8]
