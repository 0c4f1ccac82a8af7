"""Listening sockets that accept no more connections than the process can serve."""

import asyncio
import errno
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from multiprocessing.reduction import DupFd
from typing import Any

from mistral_mcp.http.uvicorn_protocol import ClientProtocol

_log = logging.getLogger(__name__)

_AT_ONCE = 32
"""Connections accepted in one turn of the event loop; asyncio would accept thousands."""
_SPARE_DESCRIPTORS = 64
"""Descriptors reserved for files, the database and connections to Mistral."""
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_LOG_EVERY = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may be open at once."""

    per_process: int
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of proxies, which many clients share."""

    @property
    def per_address(self) -> int:
        return max(self.per_process // 4, 1)

    def applies_to(self, address: str) -> bool:
        """Whether an address is limited; proxies on this machine or in the settings are not."""
        try:
            return not ip_address(address).is_loopback and address not in self.trusted_proxies
        except ValueError:
            return False


def available_connections(wanted: int) -> int:
    """The wanted number, or what the limit of descriptors allows, which is raised as far as possible."""
    if sys.platform == "win32":
        return wanted
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _SPARE_DESCRIPTORS  # each call may have a connection to Mistral too
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard == resource.RLIM_INFINITY:
            soft = needed
        else:
            soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, soft - max(_SPARE_DESCRIPTORS, soft // 4)), 1)


class BoundedListener(socket.socket):
    """Closes the oldest idle connection if there are too many, else the new one."""

    def __init__(self, listener: socket.socket, limits: ConnectionLimits) -> None:
        super().__init__(listener.family, listener.type, listener.proto, listener.detach())
        self._limits = limits
        self._accepted = 0
        self._spare = os.open(os.devnull, os.O_RDONLY)
        self._logged_at = -_LOG_EVERY

    def __reduce__(self) -> tuple[Callable[..., "BoundedListener"], tuple[object, ConnectionLimits]]:
        """Pickles a copy of the descriptor for a worker, as multiprocessing does for sockets."""
        return _rebuild, (DupFd(self.fileno()), self._limits)

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises BlockingIOError if the event loop should try again later."""
        if self._accepted >= _AT_ONCE:
            raise BlockingIOError
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                self._drop_one()
                raise BlockingIOError from None
            raise
        if self._accepted == 0:
            asyncio.get_running_loop().call_soon(self._start_over)
        self._accepted += 1
        if not self._has_room(str(address[0])):
            connection.close()
            raise BlockingIOError
        return connection, address

    def close(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        super().close()

    def _start_over(self) -> None:
        self._accepted = 0

    def _has_room(self, address: str) -> bool:
        open_ones = list(ClientProtocol.open_connections)
        if len(open_ones) + self._accepted > self._limits.per_process:
            return self._close_oldest_idle(open_ones, "MAX_SOCKETS")
        if self._limits.applies_to(address):
            same = [each for each in open_ones if each.peer == address]
            if len(same) >= self._limits.per_address:
                return self._close_oldest_idle(same, "a quarter of MAX_SOCKETS from one address")
        return True

    def _close_oldest_idle(self, connections: list[ClientProtocol], limit: str) -> bool:
        idle = [each for each in connections if each.is_idle and not each.transport.is_closing()]
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            _log.warning("%d connections are open, the limit (%s): idle ones are closed.", len(connections), limit)
        if idle:
            min(idle, key=lambda each: each.connected_at).abort()
        return bool(idle)

    def _drop_one(self) -> None:
        """Without a free descriptor, close an idle connection, or else the waiting one, which needs the reserved descriptor."""
        if self._close_oldest_idle(list(ClientProtocol.open_connections), "descriptors"):
            return
        os.close(self._spare)
        try:
            connection, _ = super().accept()
            connection.close()
        except OSError:
            pass
        finally:
            self._spare = os.open(os.devnull, os.O_RDONLY)


def _rebuild(descriptor: Any, limits: ConnectionLimits) -> BoundedListener:
    return BoundedListener(socket.socket(fileno=descriptor.detach()), limits)
