"""A web of this machine's own, where client metadata documents are: hosts that resolve to public addresses, over TLS.

The guards against fetching from inside stand as they are: what is replaced is the resolver, and the last hop of a connection.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mistral_mcp.hosting.oauth.client_documents import ClientDocuments
from tests.certificates import self_sign

PUBLIC = "93.184.216.34"


@dataclass
class LocalWeb:
    """What URLs answer: an object as JSON, or text as the address of a redirect."""

    answers: Mapping[str, Any]
    addresses: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Of hosts that do not resolve to `PUBLIC`."""
    resolved: list[str] = field(default_factory=list[str])
    dialed: list[str] = field(default_factory=list[str])
    requested: list[str] = field(default_factory=list[str])

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        self.resolved.append(host)
        return self.addresses.get(host, [PUBLIC])

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        host = head.lower().partition("\r\nhost: ")[2].partition("\r\n")[0]
        url = f"https://{host}{path}"
        self.requested.append(url)
        writer.write(_response(self.answers.get(url)))
        await writer.drain()
        writer.close()


class _LastHop(httpx2.AsyncHTTPTransport):
    """Ends on this machine, whatever the address; the certificate is checked against the host all the same."""

    def __init__(self, web: LocalWeb, port: int, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls)
        self._web = web
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._web.dialed.append(request.url.host)
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


@asynccontextmanager
async def serving_documents(web: LocalWeb, folder: Path) -> AsyncGenerator[ClientDocuments]:
    """What fetches from this web."""
    hosts = {urlsplit(url).hostname or "" for url in web.answers}
    certificate = self_sign(folder, *sorted(hosts))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=certificate)
    server = await asyncio.start_server(web.handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield ClientDocuments(resolver=web.resolve, transport=lambda: _LastHop(web, port, trust))
    finally:
        server.close()


def _response(answer: Any) -> bytes:
    if answer is None:
        return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
    if isinstance(answer, str):
        return f"HTTP/1.1 302 Found\r\nlocation: {answer}\r\ncontent-length: 0\r\n\r\n".encode()
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
