"""Forms without a session: checks that one was sent from our page, is ours, and creates only once."""

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

LIFETIME = 2 * 60 * 60  # seconds; long enough to go and find a key
_LARGEST_BODY = 16 * 1024  # bytes
_MOST_FIELDS = 100


class ForeignForm(MistralMcpError):
    """A form that another site's page sent; it is not read."""

    status = 403


class OversizeForm(BadArgument):
    """Larger than any form here."""


class StaleForm(BadArgument):
    """A form that has expired, or was not issued by this server."""


@dataclass(frozen=True)
class Form:
    """The fields of a submitted form."""

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
    """Raises `OversizeForm` if it is larger than any form here."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise OversizeForm("The request is larger than any form here.")
    return body


def _is_from_here(request: Request) -> bool:
    """Whether our own page sent it, by Sec-Fetch-Site. Browsers leave it out without TLS, and old ones always.

    The pages have the policy no-referrer, hence their forms have `Origin: null`. Other sites can produce that too; without
    further headers only the form's token protects servers whose pages they cannot read.
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
            raise StaleForm("This form has expired.", "Here is a new one: please send it again.")
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
