"""An audit line for each connection that is created, changed, rotated or revoked: its id and the client's address."""

import logging
from typing import Literal

_log = logging.getLogger("mistral_mcp.audit")

ConnectionEvent = Literal["created", "changed", "rotated", "revoked"]


def log_connection_event(event: ConnectionEvent, connection_id: str, address: str) -> None:
    members = {"event": f"connection_{event}", "connection_id": connection_id, "address": address}
    _log.info("connection_%s %s from %s", event, connection_id, address, extra=members)
