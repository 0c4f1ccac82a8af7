"""Forms without a session: where one was sent from, that it is ours, and that what it creates is created once."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from itsdangerous import BadData, TimestampSigner
from starlette.requests import Request

from mistral_mcp.errors import BadArgument, MistralMcpError
from mistral_mcp.hosting.vault.connection import new_id
from mistral_mcp.hosting.vault.digests import DIGEST_BYTES
from mistral_mcp.http.uploads.incoming_files import NotOurForm

LIFETIME = 2 * 60 * 60  # seconds; long enough to look for a key in between
_LARGEST_BODY = 16 * 1024  # bytes
_MOST_FIELDS = 100


class ForeignForm(MistralMcpError):
    """A form that another site's page sent. What it held is not looked at."""

    status = 403


class OversizeForm(BadArgument):
    """More than any form here holds."""


class StaleForm(BadArgument):
    """A form of ours that lay open for too long, or one that is not ours."""


@dataclass(frozen=True)
class Form:
    """What was typed."""

    fields: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def one(self, name: str) -> str:
        return self.fields.get(name, [""])[0].strip()

    def all(self, name: str) -> list[str]:
        return self.fields.get(name, [])


async def read_form(request: Request) -> Form:
    """Raises `ForeignForm`, `NotOurForm` or `OversizeForm`."""
    if not _is_from_here(request):
        raise ForeignForm("Another site's page sent this form, so it was not read.", "Fill it in here.")
    if not request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        raise NotOurForm("This is not one of this page's forms.")
    body = await read_body(request)
    try:
        return Form(parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise NotOurForm("This is not one of this page's forms.") from None


async def read_body(request: Request) -> bytes:
    """Raises `OversizeForm` for what is larger than any form here."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise OversizeForm("The request is larger than any connection needs.")
    return body


def _is_from_here(request: Request) -> bool:
    """By Sec-Fetch-Site. Browsers leave it out where there is no TLS, and old ones everywhere.

    The pages are sent with no-referrer, hence their forms with `Origin: null`. Other sites can make their own say that
    too; where nothing else is known, it is the form's token that keeps them out of servers they cannot read.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin", "null")
    return origin == "null" or origin.partition("://")[2].lower() == request.headers["host"].lower()


class _FormSigner(TimestampSigner):
    """Signs what travels in a form. Any replica verifies what another signed, and none has to remember it."""

    def __init__(
        self,
        keys: Sequence[bytes],
        salt: bytes,
        now: Callable[[], float],
    ) -> None:
        super().__init__(
            keys[::-1],  # the last one signs
            salt=salt,
            digest_method=hashlib.sha256,
        )
        self._now = now

    def get_timestamp(self) -> int:
        return int(self._now())

    def read(self, signed: str) -> str:
        """Raises `StaleForm`."""
        try:
            text, issued = self.unsign(signed, return_timestamp=True)
        except BadData:
            issued, text = None, b""
        if issued is None or issued.timestamp() < self._now() - LIFETIME:
            raise StaleForm("This form lay open for too long.", "Here is a fresh one: please send it again.")
        return text.decode()


class FormTokens(_FormSigner):
    """Marks forms as this server's."""

    def __init__(self, keys: Sequence[bytes], now: Callable[[], float] = time.time) -> None:
        super().__init__(keys, b"mistral-mcp form", now)

    def issue(self) -> str:
        return self.sign(new_id()).decode()

    def verify(self, token: str) -> str:
        """The form's id, which becomes its connection's: the database then refuses a second one. Raises `StaleForm`."""
        return self.read(token)


class KeyProofs(_FormSigner):
    """That a person pasted a key a moment ago, by its digests: the key itself goes into no page."""

    def __init__(self, keys: Sequence[bytes], now: Callable[[], float] = time.time) -> None:
        super().__init__(keys, b"mistral-mcp key proof", now)

    def issue(self, digests: Sequence[bytes]) -> str:
        return self.sign(b"".join(digests).hex()).decode()

    def verify(self, proof: str) -> list[bytes]:
        """The digests. Raises `StaleForm`."""
        joined = bytes.fromhex(self.read(proof))
        digests: list[bytes] = []
        while joined:
            digests.append(joined[:DIGEST_BYTES])
            joined = joined[DIGEST_BYTES:]
        return digests
