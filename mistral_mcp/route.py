"""Routes: how requests reach Mistral."""

import re
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

GATEWAYS = {"cloudflare": "the Cloudflare AI Gateway", "lava": "the Lava gateway"}
"""The gateways, as they are named in the middle of a sentence."""

_OFFICIAL: dict[str, Literal["direct", "eu", "us"]] = {
    "https://api.mistral.ai": "direct",
    "https://api.eu.mistral.ai": "eu",
    "https://api.us.mistral.ai": "us",
}

_CLOUDFLARE = re.compile(r"cloudflare(-compat)?://([A-Za-z0-9]{1,64})/([A-Za-z0-9_-]{1,64})/?(?:\?(.*))?")

RouteKind = Literal["direct", "eu", "us", "base", "cloudflare", "cloudflare-compat", "lava-byok", "lava"]


class Route(BaseModel):
    """How requests reach Mistral, directly or through a gateway. `Route.parse("cloudflare://ACCOUNT/GATEWAY")`; `str(route)` is its inverse."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: RouteKind
    base: str = ""
    """Kind `base` only: scheme, host and path, without a trailing slash."""
    account: str = ""
    gateway: str = ""
    stored_key: str = ""
    """Cloudflare only: alias of the stored key, if not the default."""
    logs_payload: bool = False
    """Cloudflare only: whether the gateway may log prompts and answers."""

    @classmethod
    def parse(cls, text: str) -> Self:
        text = text.strip().strip("\"'")
        if text in ("direct", "eu", "us"):
            return cls(kind=text)
        if text.rstrip("/") == "lava:":
            return cls(kind="lava")
        if text == "lava://byok":
            return cls(kind="lava-byok")
        if found := _CLOUDFLARE.fullmatch(text):
            if found[1]:
                kind = "cloudflare-compat"
            else:
                kind = "cloudflare"
            stored_key, logs_payload = _cloudflare_options(found[4] or "")
            return cls(
                kind=kind, account=found[2], gateway=found[3], stored_key=stored_key, logs_payload=logs_payload
            )
        if text.startswith(("https://", "http://")):
            base = _checked_base(text)
            official = _OFFICIAL.get(base.lower())
            if official:
                return cls(kind=official)
            return cls(kind="base", base=base)
        raise ValueError(
            "it must be direct, eu, us, https://host/base, cloudflare://ACCOUNT_ID/GATEWAY, "
            "cloudflare-compat://ACCOUNT_ID/GATEWAY, lava://byok or lava://"
        )

    def pays(self, route_token: SecretStr | None) -> bool:
        """Whether the route's own token can stand in for a Mistral key: managed, or with keys stored at the gateway."""
        return route_token is not None and self.kind in {"lava", "cloudflare", "cloudflare-compat"}

    @property
    def gateway_name(self) -> str:
        """The gateway in front of Mistral; empty where there is none."""
        return GATEWAYS.get(self.kind.partition("-")[0], "")

    @property
    def name(self) -> str:
        """The other end, as it is named in the middle of a sentence: "the Lava gateway", "Mistral at proxy.example"."""
        match self.kind:
            case "eu" | "us":
                return f"Mistral's {self.kind.upper()} endpoint"
            case "base":
                return f"Mistral at {urlsplit(self.base).netloc}"
            case _:
                return self.gateway_name or "Mistral"

    def __str__(self) -> str:
        match self.kind:
            case "base":
                return self.base
            case "cloudflare" | "cloudflare-compat":
                if self.stored_key:
                    options = [f"stored_key={self.stored_key}"]
                else:
                    options = []
                options += ["log_payload=true"] if self.logs_payload else []
                return (
                    f"{self.kind}://{self.account}/{self.gateway}" + ("?" if options else "") + "&".join(options)
                )
            case "lava-byok":
                return "lava://byok"
            case "lava":
                return "lava://"
            case _:
                return self.kind


def _cloudflare_options(query: str) -> tuple[str, bool]:
    """The alias of a stored key, and whether payloads may be logged: `stored_key=NAME&log_payload=true`."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    stored_key, log_payload = options.pop("stored_key", ""), options.pop("log_payload", "false")
    if options or log_payload not in ("true", "false") or not re.fullmatch(r"[\w.-]{0,64}", stored_key, re.ASCII):
        raise ValueError("the only options of a Cloudflare gateway are ?stored_key=NAME and ?log_payload=true")
    return stored_key, log_payload == "true"


def _checked_base(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message would repeat the URL
        raise ValueError("a base URL has a host, and a port up to 65535 if any") from None
    if not parts.hostname or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a base URL has a host and a path, and no user, query or fragment")
    # `urlsplit` drops some blanks, but they stay in the URL.
    if (
        port == 0
        or not re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", parts.hostname)
        or re.search(r"[\s\x00-\x1f\x7f]", url)
    ):
        raise ValueError("a base URL has a host and a port that exist, and no blanks")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("http:// is for loopback only; use https://")
    # Every path is /v1/…, so a base that was copied with it, or with a whole path, would double it.
    return re.sub(r"/v1(/chat/completions|/models|/embeddings|/fim/completions)?/*$", "", url.rstrip("/")).rstrip(
        "/"
    )
