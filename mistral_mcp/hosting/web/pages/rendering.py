"""Renders templates to responses, with every page's headers, in the person's language."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from mistral_mcp.hosting.vault.maintenance import NEVER_USED_AFTER
from mistral_mcp.hosting.web.forms import FormTokens
from mistral_mcp.hosting.web.pages.languages import (
    Language,
    Texts,
    bind_punctuation,
    choose_language,
    format_day,
    format_number,
    other_language,
    read_texts,
)
from mistral_mcp.settings import Settings

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Renderer:
    """`form_keys` sign the tokens of forms."""

    def __init__(self, settings: Settings, form_keys: Callable[[], Sequence[bytes]]) -> None:
        self.settings = settings
        self._form_keys = form_keys

    def static_files(self) -> Mount:
        files = _Static(directory=_HERE / "static", packages=[("mistral_mcp.http", "static")])
        return Mount("/static", files, name="static")

    @property
    def form_tokens(self) -> FormTokens:
        return FormTokens(self._form_keys())

    def render(
        self,
        request: Request,
        template: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        keep: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """`keep`: the query parameters that the page in the other language needs too."""
        language = language_of(request)
        other = other_language(language)
        # Behind a proxy, the pages may have a path prefix.
        root = urlsplit(self.settings.public_url or "").path
        if "lang" in request.query_params:
            chosen = f"?lang={language}"
        else:
            chosen = ""

        def to(path: str) -> str:
            """The URL of another page, in the chosen language."""
            return f"{root}{path}{chosen}"

        shared: dict[str, Any] = {
            "root": root,
            "to": to,
            "stamp": self.form_tokens.issue(),
            "language": language,
            "text": read_texts(language),
            "other": other,
            "other_name": read_texts(other)["common"]["language"],
            "switch": "?" + urlencode({**(keep or {}), "lang": other}),
            "bind": partial(bind_punctuation, language=language),
            "day": partial(format_day, language=language),
            "number": partial(format_number, language=language),
            "unused_days": NEVER_USED_AFTER.days,
        }
        text = self._templates.get_template(template).render(values | shared)
        return HTMLResponse(text, status, {**_HEADERS, "content-language": language, **(headers or {})})

    @cached_property
    def _templates(self) -> "Environment":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - many servers never serve a page

        return Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )


def language_of(request: Request) -> Language:
    accepted = request.headers.get("accept-language", "")
    return choose_language(accepted, request.query_params.get("lang", ""))


def texts_for(request: Request) -> Texts:
    return read_texts(language_of(request))


class _Static(StaticFiles):
    """Static files that browsers revalidate each time, so that no page uses files of another version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update({"cache-control": "no-cache", "x-content-type-options": "nosniff"})
        return response
