"""Client ID Metadata Documents: the id is an https URL, and the document there describes the client.

Anybody can name any URL, so a fetch must not reach internal addresses: the host is resolved first, each of its addresses
must be public, and the connection goes to a checked address. No redirect is followed.
"""

import json
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast
from urllib.parse import urlsplit

import anyio
import httpx2
from anyio import getaddrinfo
from cachetools import TTLCache

_SECONDS, _LARGEST, _LONGEST_URL = 5, 16 * 1024, 500
_NAT64 = ip_network("64:ff9b::/96")
_CACHED, _CACHED_SECONDS = 1_000, 15 * 60

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
Document = dict[str, object]


def is_document_url(client_id: str) -> bool:
    """An https URL with a path: nothing else is fetched."""
    if len(client_id) > _LONGEST_URL or not client_id.startswith("https://"):
        return False
    try:
        parts = urlsplit(client_id)
        has_port = parts.port is not None
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.fragment or has_port)
    return plain and bool(parts.hostname) and len(parts.path) > 1 and "/../" not in parts.path


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a host."""
    found = await getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


def is_public(address: str) -> bool:
    """Neither loopback, private, link-local, multicast nor reserved, and no IPv4 address written as IPv6."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or parsed.teredo
        if embedded is not None or parsed in _NAT64:
            return False
    return parsed.is_global and not parsed.is_multicast


class ClientDocuments:
    """Fetches documents, and caches them for a quarter of an hour."""

    def __init__(
        self,
        *,
        resolver: Resolver = resolve,
        transport: Callable[[], httpx2.AsyncBaseTransport] = httpx2.AsyncHTTPTransport,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = resolver
        self._transport = transport
        self._cached: TTLCache[str, Document] = TTLCache(_CACHED, _CACHED_SECONDS, timer=clock)

    async def fetch(self, url: str, may_fetch: Callable[[], bool] = lambda: True) -> Document | None:
        """The document; None if there is no usable one, or it is not cached and `may_fetch` says no."""
        if url in self._cached:
            return self._cached[url]
        if not may_fetch():
            return None
        try:
            with anyio.fail_after(_SECONDS):
                document = await self._download(url)
        except (httpx2.HTTPError, OSError, TimeoutError, ValueError):
            return None
        if document is None or document.get("client_id") != url:
            return None
        self._cached[url] = document
        return document

    async def _download(self, url: str) -> Document | None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        addresses = await self._resolver(host, 443)
        if not addresses or not all(is_public(address) for address in addresses):
            return None
        # To the checked address: a name may resolve to another a moment later.
        target = httpx2.URL(url).copy_with(host=addresses[0])
        headers = {"host": host, "accept": "application/json", "accept-encoding": "identity"}
        request = httpx2.Request("GET", target, headers=headers, extensions={"sni_hostname": host})
        async with self._transport() as transport:
            response = await transport.handle_async_request(request)
            try:
                if response.status_code != HTTPStatus.OK or "content-encoding" in response.headers:
                    return None
                return await _read_object(response)
            finally:
                await response.aclose()


async def _read_object(response: httpx2.Response) -> Document | None:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _LARGEST:
            return None
    document: object = json.loads(body)
    if isinstance(document, dict):
        return cast("Document", document)
    return None
