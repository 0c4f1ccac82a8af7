"""A hosted server with OAuth, and a person's browser reduced to the forms."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
import pytest

from tests.conftest import KEY

REDIRECT = "http://127.0.0.1:47823/callback"


async def consent(http: httpx2.AsyncClient, url: str, **typed: str) -> dict[str, str]:
    """Open the consent page, fill it in, and give the query of where it leads back to."""
    page = await http.get(urljoin(str(http.base_url), url))
    while page.is_redirect:
        page = await http.get(urljoin(str(page.url), page.headers["location"]))
    assert page.status_code == 200, page.text
    hidden = dict(re.findall(r'name="(stamp|request)" value="([^"]*)"', page.text))
    form = {**hidden, "access": "write", "decision": "allow", "api_key": KEY, **typed}
    answer = await http.post("/consent", data={name: value for name, value in form.items() if value})
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@dataclass
class OAuthClient:
    """A client that does by hand what the SDK's does, so that a test can do it wrongly."""

    http: httpx2.AsyncClient
    redirect_uri: str = REDIRECT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    client_id: str = ""

    async def register(self, **described: Any) -> httpx2.Response:
        metadata = {
            "redirect_uris": [self.redirect_uri],
            "client_name": "A test",
            "token_endpoint_auth_method": "none",
            **described,
        }
        answer = await self.http.post("/register", json=metadata)
        if answer.is_success:
            self.client_id = answer.json()["client_id"]
        return answer

    def authorize_url(self, **changes: str | None) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "state": "a-state",
            "resource": f"{str(self.http.base_url).rstrip('/')}/mcp",
            **changes,
        }
        return "/authorize?" + str(
            httpx2.QueryParams({name: text for name, text in query.items() if text is not None})
        )

    async def code(self, **typed: str) -> str:
        return (await consent(self.http, self.authorize_url(), **typed))["code"]

    async def redeem(self, code: str, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self.http.post("/token", data=form)

    async def tokens(self, **typed: str) -> dict[str, Any]:
        answer = await self.redeem(await self.code(**typed))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refresh(self, token: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id, **changes}
        return await self.http.post("/token", data=form)


@pytest.fixture
async def client(http: httpx2.AsyncClient) -> OAuthClient:
    registered = OAuthClient(http)
    assert (await registered.register()).status_code == 201
    return registered
