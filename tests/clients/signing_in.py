"""A client's sign-in, recorded at the server; with an access token that ends early, so that the client must refresh."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from starlette.requests import Request

from tests.clients.place import Failed

NEEDED = ("discovery", "consent", "code", "call", "refresh")

_DISCOVERY = "/.well-known/oauth-"
_EXPIRED = b"Bearer mmcp_expired"


@dataclass
class SignIn:
    """Of one client: what it did, in order, and the secrets that it was given last."""

    steps: list[str] = field(default_factory=list[str])
    client: dict[str, str] = field(default_factory=dict[str, str])
    """Its id, and the secret of one that has one."""
    tokens: dict[str, Any] = field(default_factory=dict[str, Any])
    _expired: str = ""
    _is_over: bool = False

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        """The request's. The access token of the first call is good for that call alone."""
        authorization = request.headers.get("authorization", "")
        if self._expired and authorization == f"Bearer {self._expired}":
            return [pair for pair in request.headers.raw if pair[0] != b"authorization"] + [
                (b"authorization", _EXPIRED)
            ]
        return request.headers.raw

    def note_call(self, request: Request, body: bytes, status: int) -> None:
        """Before a client reads of it, since the next call may follow at once."""
        is_call = request.url.path == "/mcp" and b'"tools/call"' in body
        if is_call and status == HTTPStatus.OK and "call" not in self.steps:
            self._add("call")
            self._expired = str(self.tokens.get("access_token", ""))

    def note(self, request: Request, body: bytes, status: int, answer: bytes) -> None:
        """An exchange that is over."""
        if self._is_over:
            return
        path = request.url.path
        form = dict(parse_qsl(body.decode(errors="replace")))
        if path == "/authorize":
            self.client["client_id"] = request.query_params.get("client_id", "")
            if self.client["client_id"].startswith("https://"):
                self._add("document")
        elif path == "/consent" and request.method == "POST" and status == HTTPStatus.SEE_OTHER:
            self._add("consent")
        elif status >= HTTPStatus.BAD_REQUEST:
            return
        elif path.startswith(_DISCOVERY):
            self._add("discovery")
        elif path == "/register":
            self._add("registration")
            secret = json.loads(answer).get("client_secret")
            self.client = {"client_secret": secret} if secret else {}
        elif path == "/token":
            self.tokens |= json.loads(answer)
            self._add({"authorization_code": "code", "refresh_token": "refresh"}[form["grant_type"]])
        elif path == "/revoke":
            self._add("revocation")

    async def end(self, http: httpx2.AsyncClient, server: str) -> None:
        """Revoke what the client did not revoke itself, and see that it opens nothing more."""
        missing = [step for step in NEEDED if step not in self.steps]
        if missing:
            raise Failed(f"it did not come to {missing} after {self.steps}")
        if "revocation" not in self.steps:
            self._is_over = True
            form = {"token": self.tokens["refresh_token"], **self.client}
            (await http.post(f"{server}/revoke", data=form)).raise_for_status()
        signed_in = {"authorization": f"Bearer {self.tokens['access_token']}"}
        answer = await http.post(f"{server}/mcp", json={}, headers=signed_in)
        if answer.status_code != HTTPStatus.UNAUTHORIZED:
            raise Failed(f"its access token is answered with {answer.status_code} after it was revoked")

    def _add(self, step: str) -> None:
        if step not in self.steps:
            self.steps.append(step)
