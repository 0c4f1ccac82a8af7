"""The actions on connections: create, change, rotate, revoke. They know no HTTP: `api` and `pages` call them.

A key is checked against Mistral, over the connection's route, before it is stored. There are no cookies and no sessions: the
token is the only credential.
"""

import hmac
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr, field_validator

from mistral_mcp.credentials import validate_user_key
from mistral_mcp.errors import InvalidApiKey, RefusedCredential, SignupRefused
from mistral_mcp.hosting.monitoring.connection_audit import ConnectionEvent, log_connection_event
from mistral_mcp.hosting.monitoring.metrics import Metrics
from mistral_mcp.hosting.vault.connection import LONGEST_EXPIRY, LONGEST_LABEL, WrongField, check_route
from mistral_mcp.hosting.vault.vault import Connection, IssuedToken, Vault
from mistral_mcp.hosting.web.throttle import Throttle
from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.api.embeddings import EmbeddingCall
from mistral_mcp.mistral.api.models import ListModelsCall
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports import routes
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.mistral.transports.refused_keys import RefusedKeys
from mistral_mcp.route import Route
from mistral_mcp.settings import MOST_CALLS, MOST_USD, Names, Settings
from mistral_mcp.tools import TOOLSETS
from mistral_mcp.usage.answer import Limits, UsageAnswer
from mistral_mcp.usage.ledger import Ledger


def _parse_known_route(value: object) -> object:
    """A route that a tenant may choose: one of the known kinds, never a URL."""
    route = Route.parse(value) if isinstance(value, str) else None  # a JSON object could have any parts
    if route is None or route.kind == "base":
        raise ValueError("it must be direct, eu, us, a cloudflare route, lava://byok or lava://")
    return route


class SignupOff(SignupRefused):
    """Only the operator creates connections."""


class WrongSignupCode(SignupRefused):
    """Creating a connection needs the operator's code."""


class ConnectionChanges(BaseModel):
    """Changes of a connection. `PATCH /connections/current` takes them as JSON, `/manage` as a form."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)

    api_key: SecretStr | None = None
    label: str = Field(default="", max_length=LONGEST_LABEL)
    toolsets: Names | None = Field(default=None, max_length=2 * len(TOOLSETS))
    read_only: bool = False
    expires_in_days: int | None = Field(default=None, ge=1, le=LONGEST_EXPIRY)
    budget_usd: float | None = Field(default=None, ge=0, le=MOST_USD, allow_inf_nan=False)
    budget_calls_per_day: int | None = Field(default=None, ge=0, le=MOST_CALLS)

    @field_validator("label")
    @classmethod
    def _label_can_be_shown(cls, label: str) -> str:
        if not label.isprintable():
            raise ValueError("it must be one line of visible characters")
        return label

    @field_validator("toolsets")
    @classmethod
    def _toolsets_exist(cls, names: Names | None) -> Names | None:
        unknown = [name for name in names or () if name not in TOOLSETS]
        if unknown or names == ():
            raise ValueError(f"it must name some of {', '.join(TOOLSETS)}")
        return names


class ConnectionRequest(ConnectionChanges):
    """A request for a connection. `POST /connections` takes it as JSON, the page as a form."""

    route: Annotated[Route, BeforeValidator(_parse_known_route)] | None = None
    route_token: SecretStr | None = None
    signup_code: SecretStr | None = None


@dataclass(frozen=True)
class Tenancy:
    """The actions of a person or a program on connections; `address` is the client's."""

    settings: Settings
    vault: Vault
    upstream: Upstream
    refused_keys: RefusedKeys
    throttle: Throttle
    metrics: Metrics
    ledger: Ledger

    async def create(
        self, asked: ConnectionRequest, address: str, connection_id: str | None = None
    ) -> IssuedToken:
        """Validate the request, check the key, then store the connection.

        Raises `WrongField`, `SignupRefused`, `TooManyFailures`, `UpstreamError`, `AlreadyCreated`, `TooManyConnections`
        or `VaultUnavailable`.
        """
        self._check_signup(asked.signup_code, address)
        self.throttle.check_signup(address)
        check_route(asked.api_key, asked.route, asked.route_token)
        days = self._bounded_expiry(asked.expires_in_days)
        await self._check_key(asked.api_key, asked.route, asked.route_token, address)
        issued = await self.vault.create(
            asked.api_key,
            label=asked.label.strip(),
            toolsets=asked.toolsets,
            read_only=asked.read_only,
            expires_in_days=days,
            route=asked.route,
            route_token=asked.route_token,
            connection_id=connection_id,
            budget_usd=asked.budget_usd,
            budget_calls_per_day=asked.budget_calls_per_day,
            most_per_key=self.settings.max_connections_per_key,
        )
        self.throttle.add_signup(address)
        self.record("created", issued.connection.id, address)
        return issued

    async def update(self, token: SecretStr, changes: ConnectionChanges, address: str) -> Connection:
        """Apply the `changes` that are set; the token stays valid. Raises the same errors as `create`."""
        with self.throttle.counting(address):
            connection = await self.vault.describe(token)
        fields = changes.model_fields_set - {"api_key"}
        new: dict[str, Any] = {name: getattr(changes, name) for name in fields - {"expires_in_days"}}
        if "label" in fields:
            new["label"] = changes.label.strip()
        if "expires_in_days" in fields:
            new["expires_at"] = self.vault.expiry(self._bounded_expiry(changes.expires_in_days))
        if changes.api_key is not None:
            credentials = await self.vault.credentials(token, "the connection")
            await self._check_key(changes.api_key, connection.route, credentials.route_token, address)
        updated = await self.vault.update(token, lambda old: replace(old, **new), changes.api_key)
        self.record("changed", updated.id, address)
        return updated

    async def describe(self, token: SecretStr, address: str) -> Connection:
        """Raises a `CredentialError` or `VaultUnavailable`."""
        with self.throttle.counting(address):
            return await self.vault.describe(token)

    async def usage(self, token: SecretStr, address: str) -> UsageAnswer:
        """The connection's usage, and what is left of its budget. Raises a `CredentialError` or `VaultUnavailable`."""
        return await self.usage_of(await self.describe(token, address))

    async def usage_of(self, connection: Connection) -> UsageAnswer:
        """The usage of a connection that was looked up already. Raises `VaultUnavailable`."""
        limits = Limits(connection.budget_usd, connection.budget_calls_per_day)
        return await self.ledger.usage_of(connection.id, limits)

    async def rotate(self, token: SecretStr, address: str) -> IssuedToken:
        """Issue a new token; the old one is invalid at once."""
        with self.throttle.counting(address):
            issued = await self.vault.rotate(token)
        self.record("rotated", issued.connection.id, address)
        return issued

    async def revoke(self, token: SecretStr, address: str) -> str:
        """Revoke the connection, and erase its secrets. Returns its id."""
        with self.throttle.counting(address):
            connection_id = await self.vault.revoke(token)
        self.record("revoked", connection_id, address)
        return connection_id

    async def end_grant(self, connection: Connection, grant_id: str, address: str) -> None:
        """Revoke an OAuth client's grant; grants of other connections are ignored."""
        await self.vault.grants.revoke_by_id(connection.id, grant_id)
        self.record("changed", connection.id, address)

    def record(self, event: ConnectionEvent, connection_id: str, address: str) -> None:
        self.metrics.connections(event).inc()
        log_connection_event(event, connection_id, address)

    def _check_signup(self, code: SecretStr | None, address: str) -> None:
        """Check the sign-up code. The right one is accepted from any address: wrong guesses of others lock nobody out."""
        if self.settings.signup == "off":
            raise SignupOff("This server creates no new connections.", "Ask its operator for one.")
        if self.settings.signup == "code":
            if code:
                given = code.get_secret_value()
            else:
                given = ""
            if self.settings.signup_code:
                expected = self.settings.signup_code.get_secret_value()
            else:
                expected = ""
            if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
                self.throttle.fail_guess(address)
                raise WrongSignupCode(
                    "The sign-up code is missing or wrong.", "Ask this server's operator for the code."
                )

    def _bounded_expiry(self, days: int | None) -> int | None:
        """Raises `WrongField` if the operator does not allow such a long lifetime."""
        most = self.settings.max_expiry_days
        if most is not None and days is not None and days > most:
            raise WrongField(
                "expires_in_days", f"A connection lasts at most {most} days here.", "Choose fewer days."
            )
        return days or most

    async def _check_key(
        self, api_key: SecretStr | None, route: Route | None, route_token: SecretStr | None, address: str
    ) -> None:
        """Check the key at Mistral, with the cheapest call that the route supports; not for addresses with too many failures."""
        if api_key is not None:
            try:
                validate_user_key(api_key, "api_key")
            except RefusedCredential as error:
                raise WrongField("api_key", error.what, error.advice) from None
        if api_key is None or not self.refused_keys.is_accepted(api_key):
            self.throttle.check(address)
        is_tenant = route is None
        if route is None:  # the operator's token is never sent on a tenant's own route
            route, route_token = self.settings.route, self.settings.route_token
        mistral = self.upstream.client(Caller.of(api_key, "this form", route, route_token, is_tenant=is_tenant))
        try:
            if routes.carries(route, "GET", "/v1/models"):
                await mistral.send(ListModelsCall())
            elif routes.carries(route, "POST", "/v1/embeddings"):
                await mistral.send(EmbeddingCall(model=self.settings.embed_model, inputs=["."]))
            else:
                turn: dict[str, JsonValue] = {"role": "user", "content": "."}
                await mistral.send(ChatCall(model=self.settings.chat_model, messages=[turn], max_tokens=1))
        except InvalidApiKey:
            self.throttle.fail(address, "InvalidApiKey")
            raise
