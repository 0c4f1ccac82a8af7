"""How `serve` treats a client's connection."""

import asyncio
import socket
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class ClientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 by h11.

    httptools would make a call a tenth cheaper. But with uvicorn it loses the body of a request that offers an upgrade, as
    Java's do, takes trailers for headers, and keeps heads and trailers of any size.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Switch Nagle's algorithm off, as asyncio does for its own sockets, but not for those that uvicorn's workers share.

        With it the body of each reply waits 40 ms for the acknowledgement of the headers.
        """
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(cast("asyncio.Transport", transport))

    def send_400_response(self, msg: str) -> None:
        """For what is no HTTP; unless its request was answered already, before the rest of it came."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()
