"""The Python SDK's OAuth client, with a person behind it who fills in the consent page."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.hosting.oauth.conftest import REDIRECT, consent


class Memory(TokenStorage):
    """Where the SDK's client keeps what it was given."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class SdkClient:
    """`browser` reaches the server as the person does; `typed` is what is typed at each consent, the last one repeated."""

    browser: httpx2.AsyncClient
    url: str
    typed: Sequence[dict[str, str]] = ({},)
    document: str | None = None
    """The URL of its metadata document; without one it registers itself."""
    issuer: str | None = None
    """Whose answer the browser brings; else the server's own."""
    memory: Memory = field(default_factory=Memory)
    opened: list[str] = field(default_factory=list[str])
    provider: OAuthClientProvider = field(init=False)
    _answer: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(REDIRECT)], client_name="The SDK")
        self.provider = OAuthClientProvider(
            self.url, metadata, self.memory, self._open_browser, self._come_back, client_metadata_url=self.document
        )

    @property
    def access_token(self) -> str:
        assert self.memory.tokens
        return self.memory.tokens.access_token

    @property
    def scopes(self) -> set[str]:
        assert self.memory.tokens
        return set((self.memory.tokens.scope or "").split())

    @asynccontextmanager
    async def connect(self, mode: str = "auto") -> AsyncGenerator[Client]:
        async with (
            httpx2.AsyncClient(auth=self.provider, timeout=30) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client

    def expire(self) -> None:
        """Let the client believe that its access token has expired."""
        self.provider.context.token_expiry_time = 1

    async def _open_browser(self, url: str) -> None:
        typed = self.typed[min(len(self.opened), len(self.typed) - 1)]
        self.opened.append(url)
        self._answer = await consent(self.browser, url, **typed)
        if self.issuer:
            self._answer["iss"] = self.issuer

    async def _come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**self._answer)
