"""What comes from the handle of a result or an upload link: the id of its row, and the key that opens it.

Neither is stored: whoever has the database, and not the handle, opens nothing.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def row_id(handle: str) -> str:
    """Finds the row. Opens nothing: the key comes from the handle under another label."""
    return _derive(handle, b"look-up")[:16].hex()


def sealing_key(handle: str) -> bytes:
    return _derive(handle, b"sealing")


def _derive(handle: str, label: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"mistral-mcp handle 1 " + label).derive(handle.encode())
