"""Implements the SDK's authorization provider with the vault's clients, codes and tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyUrl, BaseModel, SecretStr

from mistral_mcp.errors import BadArgument
from mistral_mcp.hosting.oauth.clients import Client, Clients
from mistral_mcp.hosting.vault.sign_ins.grant_records import LIFETIMES, SCOPES, InvalidGrant, Issued, Kind
from mistral_mcp.hosting.vault.sign_ins.grants import Grants

CONSENT_SECONDS = 30 * 60
_LONGEST_PARAMETER = 2_000


class ConsentRequest(BaseModel):
    """A validated authorization request. It travels through the person's browser, signed, so nothing is stored."""

    client_id: str
    redirect_uri: str
    redirect_uri_explicit: bool
    code_challenge: str
    scopes: list[str]
    state: str | None
    resource: str


class StaleConsent(BadArgument):
    """An authorization request that has expired, or was not signed by this server."""


class ConsentRequests:
    """Signs authorization requests and verifies them; any replica verifies those of another.

    Also error responses to refused requests, for a page that asks the person before it redirects.
    """

    def __init__(self, keys: list[bytes]) -> None:
        self._serializer = URLSafeTimedSerializer(keys[::-1], salt="mistral-mcp consent")  # the last one signs
        self._answers = URLSafeTimedSerializer(keys[::-1], salt="mistral-mcp consent answer")

    def sign(self, request: ConsentRequest) -> str:
        return str(self._serializer.dumps(request.model_dump()))

    def verify(self, text: str) -> ConsentRequest:
        """Raises `StaleConsent`."""
        return ConsentRequest.model_validate(_load(self._serializer, text))

    def sign_answer(self, location: str) -> str:
        return str(self._answers.dumps(location))

    def verify_answer(self, text: str) -> str:
        """Raises `StaleConsent`."""
        return str(_load(self._answers, text))


def _load(serializer: URLSafeTimedSerializer, text: str) -> object:
    try:
        return serializer.loads(text, max_age=CONSENT_SECONDS)
    except BadData:
        raise StaleConsent("This request has expired.", "Go back to your client and connect again.") from None


class _Code(AuthorizationCode):
    """An existing authorization code; whether it is still valid is decided on redemption."""


class _Refresh(RefreshToken):
    """An existing refresh token, likewise."""


@dataclass(frozen=True)
class Provider(OAuthAuthorizationServerProvider[_Code, _Refresh, AccessToken]):
    """The provider for one request: `resource` is this server's MCP endpoint as the client sees it."""

    clients: Clients
    grants: Grants
    consent_requests: ConsentRequests
    resource: str
    may_fetch: Callable[[], bool]
    """Whether a client's document may be fetched for this request's address."""

    async def get_client(self, client_id: str) -> Client | None:
        return await self.clients.find(client_id, self.may_fetch)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        await self.clients.register(client_info)

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """The URL of the consent page, next to `/authorize`."""
        if params.resource is not None and params.resource.rstrip("/") != self.resource:
            raise AuthorizeError("invalid_target", f"This server's resource is {self.resource}.")
        if len(params.state or "") > _LONGEST_PARAMETER or len(params.code_challenge) > _LONGEST_PARAMETER:
            raise AuthorizeError("invalid_request", "state or code_challenge is too long.")
        request = ConsentRequest(
            client_id=client.client_id,
            redirect_uri=str(params.redirect_uri),
            redirect_uri_explicit=params.redirect_uri_provided_explicitly,
            code_challenge=params.code_challenge,
            scopes=params.scopes or list(SCOPES),
            state=params.state,
            resource=self.resource,
        )
        return f"consent?request={self.consent_requests.sign(request)}"

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> _Code | None:
        grant = await self.grants.find(SecretStr(authorization_code), "code")
        if grant is None or grant.client_id != client.client_id or grant.expires_at is None:
            return None
        return _Code(
            code=authorization_code,
            scopes=list(grant.scopes),
            expires_at=grant.expires_at.timestamp(),
            client_id=grant.client_id,
            code_challenge=grant.code_challenge,
            redirect_uri=AnyUrl(grant.redirect_uri),
            redirect_uri_provided_explicitly=grant.redirect_uri_explicit,
            resource=grant.resource,
        )

    async def exchange_authorization_code(
        self,
        client: OAuthClientInformationFull,  # noqa: ARG002 - the SDK's signature; it compared the client
        authorization_code: _Code,
    ) -> OAuthToken:
        return await self._redeem(authorization_code.code, "code")

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> _Refresh | None:
        grant = await self.grants.find(SecretStr(refresh_token), "refresh")
        if grant is None or grant.client_id != client.client_id:
            return None
        return _Refresh(
            token=refresh_token, client_id=grant.client_id, scopes=list(grant.scopes), resource=grant.resource
        )

    async def exchange_refresh_token(
        self,
        client: OAuthClientInformationFull,  # noqa: ARG002 - as above
        refresh_token: _Refresh,
        scopes: list[str],
    ) -> OAuthToken:
        return await self._redeem(refresh_token.token, "refresh", tuple(scopes))

    async def _redeem(self, secret: str, kind: Kind, scopes: tuple[str, ...] | None = None) -> OAuthToken:
        try:
            return _as_oauth(await self.grants.redeem(SecretStr(secret), kind, scopes))
        except InvalidGrant as error:
            raise TokenError("invalid_grant", str(error)) from None


def _as_oauth(issued: Issued) -> OAuthToken:
    return OAuthToken(
        access_token=issued.access.get_secret_value(),
        refresh_token=issued.refresh.get_secret_value(),
        token_type="Bearer",  # noqa: S106 - a type
        expires_in=int(LIFETIMES["access"].total_seconds()),
        scope=" ".join(issued.scopes),
    )
