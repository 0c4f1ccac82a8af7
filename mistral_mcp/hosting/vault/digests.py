"""Digests made with the master keys: they find rows of the same key or owner, and open nothing."""

import hmac
from collections.abc import Callable

from mistral_mcp.hosting.vault.records import Secrets
from mistral_mcp.kept_results import Owner

DeriveKeys = Callable[[str], list[bytes]]

DIGEST_BYTES = 16


def key_digests(secrets: Secrets, derive_keys: DeriveKeys) -> list[bytes]:
    """Find the connections of one key; one digest by each master key, the first for new rows."""
    secret = secrets.api_key or secrets.route_token
    if secret:
        text = secret.get_secret_value().encode()
    else:
        text = b""
    return [hmac.digest(key, text, "sha256")[:DIGEST_BYTES] for key in derive_keys("key digests")]


def owner_name(owner: Owner, derive_keys: DeriveKeys) -> str:
    """A connection's id, or a digest of a caller's own key."""
    if owner.credentials.connection_id is not None:
        return owner.credentials.connection_id
    return hmac.digest(derive_keys("owners")[0], owner.identity.encode(), "sha256")[:DIGEST_BYTES].hex()
