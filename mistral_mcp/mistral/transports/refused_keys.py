"""Refuses keys that Mistral refused a moment ago, so that nobody can guess keys through this server.

The first 401 for a key is cached for a minute and returned again, without a request to Mistral.
"""

import hashlib
import math
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import httpx2
from cachetools import TTLCache
from pydantic import SecretStr

from mistral_mcp.mistral.transports.exchange import exchange_of

_REFUSED_FOR = 60.0  # seconds
_ACCEPTED_FOR = 600.0
_KEYS = 10_000
_LONGEST_BODY = 16 * 1024  # bytes
_SALT = secrets.token_bytes(16)


class _Refusal(NamedTuple):
    since: float
    headers: httpx2.Headers
    body: bytes


class RefusedKeys(httpx2.AsyncBaseTransport):
    """Remembers which keys were refused, and which were accepted, by a digest."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._refused: TTLCache[bytes, _Refusal] = TTLCache(_KEYS, _REFUSED_FOR, timer=clock)
        self._latest = -math.inf
        """When a key was last refused; mostly that is long ago, and nothing needs to be looked for."""
        self._accepted: TTLCache[bytes, None] = TTLCache(_KEYS, _ACCEPTED_FOR, timer=clock)

    def refused_since(self, key: SecretStr, began: float) -> bool:
        """Whether Mistral itself refused the key after this time, of the same clock."""
        if self._latest < began:
            return False
        refusal = self._refused.get(_digest(key))
        return refusal is not None and refusal.since >= began

    def is_accepted(self, key: SecretStr) -> bool:
        """Whether Mistral answered the key lately."""
        return _digest(key) in self._accepted

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        caller = exchange_of(request).caller
        secret = caller.key or caller.route_token
        if secret is None:
            return await self._transport.handle_async_request(request)
        digest = _digest(secret)
        refusal = self._find_refusal(digest)
        if refusal is not None:
            return httpx2.Response(HTTPStatus.UNAUTHORIZED, headers=refusal.headers, content=refusal.body)
        response = await self._transport.handle_async_request(request)
        if response.is_success:
            if digest not in self._accepted:
                self._accepted[digest] = None
        elif response.status_code == HTTPStatus.UNAUTHORIZED:
            return await self._remember(digest, response)
        return response

    def _find_refusal(self, digest: bytes) -> _Refusal | None:
        if self._clock() - self._latest > _REFUSED_FOR:
            return None
        return self._refused.get(digest)

    async def _remember(self, digest: bytes, response: httpx2.Response) -> httpx2.Response:
        body = b""
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LONGEST_BODY:
                    break
        finally:
            await response.aclose()
        kept = [(name, value) for name, value in response.headers.multi_items() if name in _KEPT_HEADERS]
        refusal = _Refusal(self._clock(), httpx2.Headers(kept), body[:_LONGEST_BODY])
        self._accepted.pop(digest, None)
        self._refused[digest] = refusal
        self._latest = refusal.since
        return httpx2.Response(HTTPStatus.UNAUTHORIZED, headers=refusal.headers, content=refusal.body)

    async def aclose(self) -> None:
        await self._transport.aclose()


_KEPT_HEADERS = frozenset({"content-type", "mistral-correlation-id", "cf-ray"})


def _digest(secret: SecretStr) -> bytes:
    return hashlib.blake2b(secret.get_secret_value().encode(), key=_SALT, digest_size=16).digest()
