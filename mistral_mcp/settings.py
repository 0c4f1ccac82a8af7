"""Every setting, once.

This module does not read the environment: `cli` does, and passes the values in. An invalid value is refused on construction.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from mistral_mcp.network import Network
from mistral_mcp.route import Route


def _route(value: object) -> object:
    if isinstance(value, str):
        return Route.parse(value)
    return value


def _names(value: object) -> object:
    """Comma-separated text, as in environment variables, or any collection."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _without_tilde(path: Path) -> Path:
    """Expands ~ here: no shell does it in a client's config or a compose file."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("~ cannot be expanded: there is no home folder") from None


UserPath = Annotated[Path, AfterValidator(_without_tilde)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Keys = Annotated[tuple[SecretStr, ...], BeforeValidator(_names)]


MOST_USD = 1_000_000
MOST_CALLS = 1_000_000_000


class Settings(BaseModel):
    """Settings of the server. Names as in the environment, in lower case and without `MISTRAL_MCP_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Upstream
    route: Annotated[Route, BeforeValidator(_route)] = Field(
        default=Route(kind="direct"),
        description="Route of calls to Mistral: direct, eu, us, https://host/base, or a gateway.",
    )
    route_token: SecretStr | None = Field(default=None, description="The gateway's own token.")
    timeout: float = Field(default=55, gt=0, description="Seconds for one tool call, waits and attempts included.")
    stream_timeout: float = Field(
        default=600, gt=0, description="Seconds for one tool call whose caller receives progress."
    )
    max_retries: int = Field(default=2, ge=0, le=10, description="Retries of a failed request.")
    max_concurrency: int = Field(default=8, ge=1, description="Concurrent requests, per key.")
    requests_per_second: float | None = Field(
        default=None, gt=0, description="Requests per second, per key; unset: learned from responses."
    )
    tokens_per_minute: int | None = Field(
        default=None, gt=0, description="Tokens per minute, per key; unset: learned from responses."
    )

    network: Network = Field(
        default=Network(),
        exclude=True,
        repr=False,
        description="This machine's proxies and certificates, from the usual environment variables.",
    )

    catalog: UserPath | None = Field(
        default=None, description="A file of prices that overrides the built-in ones."
    )

    # Tools
    toolsets: Names | None = Field(default=None, description="Toolsets offered, comma-separated, or all.")
    read_only: bool = Field(default=False, description="Offer only tools that change nothing at Mistral.")
    chat_model: str = Field(default="mistral-small-latest", min_length=1, description="Model for chat.")
    code_model: str = Field(default="codestral-latest", min_length=1, description="Model for code completion.")
    embed_model: str = Field(
        default="mistral-embed", min_length=1, description="Model for embeddings and ranking."
    )
    moderation_model: str = Field(
        default="mistral-moderation-latest", min_length=1, description="Model for moderation."
    )

    files_dir: UserPath | None = Field(
        default=None, description="The only folder that tools may read local files from; stdio only."
    )
    output_dir: UserPath | None = Field(
        default=None,
        description="Folder where results too long or too binary for a context are written; stdio only. "
        "Default: a folder in the user's cache.",
    )

    # HTTP
    host: str = Field(default="127.0.0.1", min_length=1, description="Address that `serve` binds.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that `serve` binds; 0: any free one.")
    workers: int = Field(default=1, ge=1, description="Worker processes.")
    public_url: str | None = Field(default=None, description="The URL that users see, if it is behind a proxy.")
    allowed_hosts: Names = Field(
        default=(), description="Host headers accepted besides PUBLIC_URL's, comma-separated."
    )
    allowed_origins: Names = Field(default=(), description="Origin headers accepted, comma-separated.")
    trusted_proxies: Names = Field(
        default=(), description="Proxies whose X-Forwarded-* headers are trusted, comma-separated."
    )
    max_body: int = Field(default=8 * 1024 * 1024, gt=0, description="Largest request body, in bytes.")
    byok: bool = Field(default=True, description="Accept callers' own Mistral keys in headers.")
    max_sockets: int = Field(default=2000, ge=10, description="Client connections open at once, per process.")

    # Hosting
    database_url: SecretStr | None = Field(
        default=None, description="sqlite:///path or postgresql://…; default: a file in DATA_DIR."
    )
    data_dir: UserPath | None = Field(
        default=None,
        description="Folder of the vault, and of usage over stdio; default: the user's data directory.",
    )
    master_keys: Keys = Field(
        default=(),
        description="Master keys of the vault, comma-separated, 64 hex digits each; the first encrypts.",
    )
    signup: Literal["open", "code", "off"] = Field(
        default="open", description="Who may create a connection: anyone, holders of SIGNUP_CODE, or nobody."
    )
    signup_code: SecretStr | None = Field(default=None, description="The code that SIGNUP=code requires.")
    oauth: bool = Field(
        default=True, description="Sign-in by OAuth; Mistral keys then go in X-Mistral-Api-Key only."
    )
    result_ttl: float = Field(default=60, gt=0, description="Minutes that a long or binary result is kept.")
    max_expiry_days: int | None = Field(
        default=None, ge=1, le=3650, description="Longest lifetime of a connection, in days; unset: no limit."
    )
    max_connections_per_key: int = Field(default=10, ge=1, description="Active connections of one Mistral key.")
    budget_usd: float | None = Field(
        default=None,
        ge=0,
        le=MOST_USD,
        allow_inf_nan=False,
        description="Budget in US dollars a month, of each connection.",
    )
    budget_calls_per_day: int | None = Field(
        default=None, ge=0, le=MOST_CALLS, description="Calls a day, of each connection."
    )
    privacy_url: str | None = Field(default=None, description="Your privacy policy, for /privacy.")
    terms_url: str | None = Field(default=None, description="Your terms of service, for /terms.")
    support_url: str | None = Field(default=None, description="Where users find help, for /support.")
    apps_challenge: str | None = Field(
        default=None, description="The token from ChatGPT's portal, for /.well-known/openai-apps-challenge."
    )
    redis_url: SecretStr | None = Field(
        default=None, description="Redis, to share rate limits per key among replicas."
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token for /metrics, for requests from other machines."
    )

    # Logs
    log_level: Literal["DEBUG", "INFO", "WARN", "WARNING", "ERROR"] = Field(
        default="INFO", description="Log level."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Log format.")

    @field_validator("toolsets")
    @classmethod
    def _toolsets(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value == ():
            raise ValueError("it must name a toolset")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        level = value.strip().upper()
        return {"WARN": "WARNING"}.get(level, level)

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("it must be the http(s) URL that users see")
        return value.rstrip("/")

    @field_validator("privacy_url", "terms_url", "support_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://", "mailto:")):
            raise ValueError("it must be an https URL, or mailto:")
        return value

    @field_validator("apps_challenge")
    @classmethod
    def _is_one_token(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[!-~]{1,500}", value):
            raise ValueError("it must be the token alone, without blanks")
        return value

    @field_validator("master_keys")
    @classmethod
    def _master_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(re.fullmatch(r"[0-9a-fA-F]{64}", key.get_secret_value()) for key in value):
            raise ValueError("each key is 64 hex digits")
        return value

    @model_validator(mode="after")
    def _signup_code_has_its_use(self) -> Self:
        if self.signup == "code" and self.signup_code is None:
            raise ValueError("SIGNUP=code needs SIGNUP_CODE, else nobody can connect")
        if self.signup_code is not None and self.signup != "code":
            raise ValueError("SIGNUP_CODE has an effect only with SIGNUP=code")
        return self

    @model_validator(mode="after")
    def _gateway_has_its_token(self) -> Self:
        if self.route.kind in {"lava", "lava-byok"} and self.route_token is None:
            raise ValueError("the lava routes need ROUTE_TOKEN, Lava's secret key")
        return self


SETTINGS = {name: field for name, field in Settings.model_fields.items() if not field.exclude}
"""The settings with a variable MISTRAL_MCP_…; those of the network have the usual ones."""
