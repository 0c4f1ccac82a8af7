"""The OAuth sign-in, executed for real, with one or two fields of one step damaged.

The client is registered, the request valid, the consent given, the code and the tokens issued, so that damaged fields reach the
checks behind the first ones.
"""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from hypothesis import strategies as st

from scripts.fuzz.surface import Request
from scripts.fuzz.target import Answer, Target, ask, require
from scripts.fuzz.values import HOSTILE, anything, texts
from scripts.isolation.product import Server

REDIRECT = "http://127.0.0.1:4711/done"
VERIFIER = "a-verifier-of-43-characters-at-least-0123456789"
OK, CREATED, FOUND, SEE_OTHER = 200, 201, 302, 303

Fields = list[tuple[str, str]]
Damages = list[tuple[str, str, str]]
"""The field, the kind of damage, and a text for it."""

_STILL_GOOD = {"repeat", "other"}
"""A form token only shows that this server made the form recently; the signed request says which request it is for."""
_REDEEMING = {"code", "client_id", "code_verifier"}
_REFRESHING = {"refresh_token", "client_id"}


@dataclass(frozen=True)
class Client:
    id: str
    secret: str
    how: str
    """Its authentication method: none, client_secret_post or client_secret_basic."""


def damage(fields: Fields, damages: Damages, others: dict[str, str]) -> Fields:
    """The fields after applying the damages in order. `others`: another client's values, by field."""
    for name, kind, text in damages:
        changed: Fields = []
        for field, value in fields:
            if field == name:
                values = _DAMAGES[kind](value, text, others.get(field, text))
                changed += [(field, each) for each in values]
            else:
                changed.append((field, value))
        fields = changed
        if name not in dict(fields) and kind == "replace":
            fields = [*fields, (name, text)]
    return fields


def _flip(value: str) -> str:
    """The value with one bit of one character changed."""
    middle = len(value) // 2
    changed = chr(ord(value[middle : middle + 1] or "a") ^ 1)
    return value[:middle] + changed + value[middle + 1 :]


_DAMAGES: dict[str, Callable[[str, str, str], list[str]]] = {
    "replace": lambda _, text, __: [text],
    "drop": lambda _, __, ___: [],
    "empty": lambda _, __, ___: [""],
    "repeat": lambda value, text, _: [value, text],
    "cut": lambda value, _, __: [value[: len(value) // 2]],
    "extend": lambda value, text, _: [value + text],
    "flip": lambda value, _, __: [_flip(value)],
    "capitals": lambda value, _, __: [value.swapcase()],
    "other": lambda _, __, other: [other],
}
"""Functions that damage a value, given a text and another client's value."""


def damages_of(*names: str) -> st.SearchStrategy[Damages]:
    """No damage, one or two."""
    values = st.one_of(st.sampled_from(HOSTILE), texts)
    one = st.tuples(st.sampled_from(names), st.sampled_from(sorted(_DAMAGES)), values)
    return st.lists(one, max_size=2)


class SigningIn:
    """Signs in at one server. Each sign-in has its own API key, because the number of connections for a key is limited."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count()
        self._clients = [self._register(how) for how in ("none", "client_secret_post", "client_secret_basic")]
        self._stranger = self._register("none")

    def _register(self, how: str) -> Client:
        answer = self._post_json("/register", _metadata(how))
        require(answer.status == CREATED, f"register: {answer}")
        found = json.loads(answer.body)
        return Client(found["client_id"], found.get("client_secret", ""), how)

    def client(self, number: int) -> Client:
        return self._clients[number]

    def register(self, drawn: tuple[dict[str, Any], str]) -> Answer:
        changed, how = drawn
        answer = self._post_json("/register", _metadata(how) | changed)
        require(bool(changed) or answer.status == CREATED, f"what is valid was refused: {answer}")
        return answer

    def authorize(self, drawn: tuple[int, Damages]) -> Answer:
        number, damages = drawn
        fields = damage(self.authorization(self.client(number)), damages, {"client_id": self._stranger.id})
        answer = ask(self._server, Request("GET", f"/authorize?{_encode(fields)}", {}, b""))
        place = urlsplit(answer.location)
        elsewhere = place.netloc and place.hostname != "127.0.0.1"
        require(not elsewhere, f"it leads to {answer.location}")
        require(bool(damages) or "consent" in answer.location, f"what is valid was refused: {answer}")
        return answer

    def agree(self, drawn: tuple[int, Damages]) -> Answer:
        number, damages = drawn
        fields = self._consent_form(self.client(number))
        answer = self._post_form("/consent", damage(fields, damages, dict(self._consent_form(self._stranger))))
        code = "code=" in urlsplit(answer.location).query
        require(bool(damages) or code, f"what is valid was refused: {answer}")
        forged = any(name == "stamp" and kind not in _STILL_GOOD for name, kind, _ in damages)
        require(not (code and forged), f"agreed with a stamp that was changed: {answer}")
        return answer

    def redeem(self, drawn: tuple[int, Damages]) -> Answer:
        number, damages = drawn
        client = self.client(number)
        fields = self._code_fields(client)
        others = {"client_id": self._stranger.id, "code": self._code(self._stranger)}
        return self._ask_for_tokens(client, fields, damages, others, _REDEEMING)

    def refresh(self, drawn: tuple[int, Damages]) -> Answer:
        number, damages = drawn
        client = self.client(number)
        token = self._tokens(client)["refresh_token"]
        fields = [("grant_type", "refresh_token"), ("refresh_token", token), *_client_fields(client)]
        others = {"client_id": self._stranger.id, "refresh_token": self._tokens(self._stranger)["refresh_token"]}
        return self._ask_for_tokens(client, [*fields, ("scope", "mistral:read")], damages, others, _REFRESHING)

    def revoke(self, drawn: tuple[int, str, Damages]) -> Answer:
        number, kind, damages = drawn
        client = self.client(number)
        fields = [("token", self._tokens(client)[kind]), ("token_type_hint", kind), *_client_fields(client)]
        answer = self._post_form("/revoke", damage(fields, damages, {}), _basic(client))
        require(bool(damages) or answer.status == OK, f"what is valid was refused: {answer}")
        return answer

    def _ask_for_tokens(
        self, client: Client, fields: Fields, damages: Damages, others: dict[str, str], bound: set[str]
    ) -> Answer:
        damaged = damage(fields, damages, others)
        answer = self._post_form("/token", damaged, _basic(client))
        issued = b"access_token" in answer.body
        require(bool(damages) or issued, f"what is valid was refused: {answer}")
        changed = {name for name in bound if dict(damaged).get(name) != dict(fields).get(name)}
        repeated = {name for name, kind, _ in damages if kind == "repeat"}
        if client.how == "client_secret_basic":
            changed.discard("client_id")  # which its header says
        require(not issued or changed <= repeated, f"issued in spite of another {changed}")
        return answer

    def authorization(self, client: Client) -> Fields:
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        return [
            ("response_type", "code"),
            ("client_id", client.id),
            ("redirect_uri", REDIRECT),
            ("code_challenge", base64.urlsafe_b64encode(digest).decode().rstrip("=")),
            ("code_challenge_method", "S256"),
            ("scope", "mistral:read mistral:write"),
            ("state", "a-state"),
            ("resource", f"http://127.0.0.1:{self._server.port}/mcp"),
        ]

    def _consent_form(self, client: Client) -> Fields:
        path = f"/authorize?{_encode(self.authorization(client))}"
        led = ask(self._server, Request("GET", path, {}, b"")).location
        page = ask(self._server, Request("GET", f"/{led.lstrip('/')}", {}, b"")).body.decode()
        hidden = [
            (name, unescape(value)) for name, value in re.findall(r'name="(stamp|request)" value="([^"]*)"', page)
        ]
        require(bool(hidden), f"no form: {led} {page[:300]}")
        key = f"fuzzing-sign-in-{next(self._numbers):08d}"
        return [*hidden, ("access", "write"), ("api_key", key), ("decision", "allow"), ("token", "")]

    def _code(self, client: Client) -> str:
        answer = self._post_form("/consent", self._consent_form(client))
        return parse_qs(urlsplit(answer.location).query)["code"][0]

    def _code_fields(self, client: Client) -> Fields:
        return [
            ("grant_type", "authorization_code"),
            ("code", self._code(client)),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", f"http://127.0.0.1:{self._server.port}/mcp"),
            *_client_fields(client),
        ]

    def _tokens(self, client: Client) -> dict[str, str]:
        answer = self._post_form("/token", self._code_fields(client), _basic(client))
        require(answer.status == OK, f"no tokens: {answer}")
        tokens: dict[str, str] = json.loads(answer.body)
        return tokens

    def _post_form(self, path: str, fields: Fields, headers: dict[str, str] | None = None) -> Answer:
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return ask(self._server, Request("POST", path, sent, _encode(fields).encode()))

    def _post_json(self, path: str, body: object) -> Answer:
        sent = {"Content-Type": "application/json"}
        return ask(self._server, Request("POST", path, sent, json.dumps(body).encode()))


def targets(server: Server) -> Iterator[Target]:
    way = SigningIn(server)
    client = st.integers(0, 2)
    authorization = dict(way.authorization(way.client(0)))
    token = ("grant_type", "redirect_uri", "resource", "client_id", "client_secret", "scope")
    metadata = st.dictionaries(st.sampled_from([*_metadata("none"), *_OPTIONAL_METADATA]), anything, max_size=2)
    methods = st.sampled_from(("none", "client_secret_post", "client_secret_basic"))

    def sending(step: Callable[[Any], Answer]) -> Callable[[Any], tuple[int, bytes]]:
        def send(drawn: Any) -> tuple[int, bytes]:
            answer = step(drawn)
            return answer.status, answer.body

        return send

    yield Target("sign-in: register", st.tuples(metadata, methods), sending(way.register))
    yield Target("sign-in: authorize", st.tuples(client, damages_of(*authorization)), sending(way.authorize))
    consent = damages_of("stamp", "request", "access", "api_key", "decision", "token", "preset", "toolsets")
    yield Target("sign-in: consent", st.tuples(client, consent), sending(way.agree))
    yield Target(
        "sign-in: token, code", st.tuples(client, damages_of("code", "code_verifier", *token)), sending(way.redeem)
    )
    yield Target(
        "sign-in: token, refresh", st.tuples(client, damages_of("refresh_token", *token)), sending(way.refresh)
    )
    kinds = st.sampled_from(("access_token", "refresh_token"))
    revoke = damages_of("token", "token_type_hint", "client_id", "client_secret")
    yield Target("sign-in: revoke", st.tuples(client, kinds, revoke), sending(way.revoke))


_OPTIONAL_METADATA = (
    "scope",
    "contacts",
    "logo_uri",
    "client_uri",
    "policy_uri",
    "jwks",
    "software_id",
    "application_type",
)


def _metadata(how: str) -> dict[str, Any]:
    return {
        "redirect_uris": [REDIRECT],
        "client_name": "A client",
        "token_endpoint_auth_method": how,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }


def _client_fields(client: Client) -> Fields:
    if client.how == "client_secret_post":
        return [("client_id", client.id), ("client_secret", client.secret)]
    return [("client_id", client.id)]


def _basic(client: Client) -> dict[str, str]:
    if client.how != "client_secret_basic":
        return {}
    encoded = base64.b64encode(f"{client.id}:{client.secret}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def _encode(fields: Fields) -> str:
    return urlencode(fields, errors="replace")
