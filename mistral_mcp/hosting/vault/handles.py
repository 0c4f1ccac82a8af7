"""Derives two values from the handle of a result or an upload link: its row's id, and the sealing key.

The handle is not stored: the database alone opens nothing.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def row_id(handle: str) -> str:
    """Finds the row. It opens nothing: the key is derived under another label."""
    return _derive(handle, b"look-up")[:16].hex()


def sealing_key(handle: str) -> bytes:
    return _derive(handle, b"sealing")


def _derive(handle: str, label: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"mistral-mcp handle 1 " + label).derive(handle.encode())
