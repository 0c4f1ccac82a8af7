"""Forms without a session: where one was sent from, that it is ours, and that what it makes is made once."""

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import Request

from mistral_mcp.errors import BadArgument, MistralMcpError
from mistral_mcp.hosting.vault.records import new_id
from mistral_mcp.hosting.web.connect import bounded_body

LIFETIME = 2 * 60 * 60  # seconds; long enough to look for a key in between
_MOST_FIELDS = 100


class ForeignForm(MistralMcpError):
    """A form that another site's page sent. What it held is not looked at."""

    status = 403


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


async def read(request: Request) -> Form:
    """Raises `ForeignForm`, or `BadArgument` for what is no form or too large for one."""
    if not _is_from_here(request):
        raise ForeignForm("Another site's page sent this form, so it was not read.", "Fill it in here.")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise BadArgument("This is not one of this page's forms.")
    body = await bounded_body(request)
    try:
        return Form(parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise BadArgument("This is not one of this page's forms.") from None


def _is_from_here(request: Request) -> bool:
    """By Sec-Fetch-Site. Browsers leave it out where there is no TLS, and old ones everywhere.

    The pages are sent with no-referrer, hence their forms with `Origin: null`. Other sites can make their own say that
    too; where nothing else is known, it is the stamp that keeps them out of servers they cannot read.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin", "null")
    return origin == "null" or origin.partition("://")[2].lower() == request.headers["host"].lower()


class Stamps:
    """Marks forms as this server's. Any replica knows the stamp of another, and none has to remember it."""

    def __init__(self, keys: Sequence[bytes], now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._now = now

    def new(self) -> str:
        told = f"{int(self._now())}.{new_id()}"
        return f"{told}.{_code(self._keys[0], told)}"

    def check(self, stamp: str) -> str:
        """The form's id, which becomes its connection's: the database then refuses a second one. Raises `StaleForm`."""
        told, _, code = stamp.rpartition(".")
        ours = [hmac.compare_digest(_code(key, told).encode(), code.encode()) for key in self._keys]
        made, _, form_id = told.partition(".")
        if not any(ours) or int(made) < self._now() - LIFETIME:
            raise StaleForm("This form lay open for too long.", "Here is a fresh one: please send it again.")
        return form_id


def _code(key: bytes, told: str) -> str:
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()
