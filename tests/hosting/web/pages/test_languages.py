"""English and French: the choice of the language, and that each has all texts and none of the other."""

import re
import string
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from itertools import chain
from pathlib import Path

import httpx2
import pytest

from mistral_mcp import Settings, errors
from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.vault.statements import TooManyConnections
from mistral_mcp.hosting.web import connect, forms, key_holders, test_calls
from mistral_mcp.hosting.web.pages import manage_page
from mistral_mcp.hosting.web.pages.languages import (
    LANGUAGES,
    choose_language,
    format_day,
    format_number,
    read_texts,
)
from mistral_mcp.http.uploads import incoming_files
from mistral_mcp.tools import TOOLSETS
from tests.conftest import KEY, pairs_of, serving
from tests.hosting.conftest import MASTER_KEY

HERE = {"sec-fetch-site": "same-origin"}
FRENCH = {"accept-language": "fr-FR,fr;q=0.9,en;q=0.8"}
NAMES = sorted(pairs_of(read_texts("en")))

# Words that no French sentence holds.
ENGLISH = re.compile(
    r"\b(the|your|you|this|that|with|and|is|are|not|of|to|from|it|its|or|here|for|be|by|was)\b", re.IGNORECASE
)


@pytest.mark.parametrize(
    ("accepted", "asked", "language"),
    [
        ("", "", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "", "fr"),
        ("en-GB,en;q=0.9,fr;q=0.5", "", "en"),
        ("fr, en", "", "fr"),
        ("en, fr", "", "en"),
        ("en;q=0.5, fr;q=0.5", "", "en"),
        ("de,fr;q=0.1", "", "fr"),
        ("de", "", "en"),
        ("fr;q=0", "", "en"),
        ("fr-CA", "", "fr"),
        ("FR", "", "fr"),
        ("en", "fr", "fr"),
        ("fr", "en", "en"),
        ("fr", "xx", "fr"),
        (",;q=,\u00e9" * 1000, "", "en"),
    ],
)
def test_a_page_speaks_what_was_requested_or_what_the_browser_prefers(
    accepted: str, asked: str, language: str
) -> None:
    assert choose_language(accepted, asked) == language


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_both_languages_have_the_same_texts_with_the_same_facts_in_them() -> None:
    english, french = (read_texts(language) for language in ("en", "fr"))

    assert {page: set(texts) for page, texts in english.items()} == {
        page: set(texts) for page, texts in french.items()
    }
    for page, name in NAMES:
        assert placeholders(english[page][name]) == placeholders(french[page][name]), (page, name)
        tags = [re.findall(r"<[^>]*>", texts[page][name]) for texts in (english, french)]
        assert sorted(tags[0]) == sorted(tags[1]), (page, name)


@pytest.mark.parametrize(("page", "name"), NAMES)
def test_no_text_can_break_out_of_an_attribute(page: str, name: str) -> None:
    for language in LANGUAGES:
        text = read_texts(language)[page][name]
        assert text.strip()
        assert "<" in text or '"' not in text
        assert not re.search(r"&(?!#?\w+;)", text)


def test_every_toolset_is_described_for_people() -> None:
    assert set(read_texts("en")["toolsets"]) == set(TOOLSETS)


def test_every_sentence_of_a_problem_is_some_errors() -> None:
    modules = (errors, connect, forms, incoming_files, key_holders, manage_page, test_calls)
    classes = {TooManyConnections.__name__, *chain.from_iterable(map(vars, modules))}

    for name in read_texts("en")["problems"]:
        assert name.partition("_")[0] in classes


def test_dates_and_numbers_are_written_as_the_language_does() -> None:
    first = datetime(2026, 12, 1, tzinfo=UTC)

    assert [format_day(first, language) for language in LANGUAGES] == ["1 December 2026", "1er d\u00e9cembre 2026"]
    assert [format_day(None, language) for language in LANGUAGES] == ["never", "jamais"]
    assert [format_number(1234.5, 1, language) for language in LANGUAGES] == ["1,234.5", "1\u202f234,5"]


def texts_of(language: str) -> list[str]:
    return list(chain.from_iterable(page.values() for page in read_texts(language).values()))


def test_no_french_line_begins_with_a_sign_that_a_space_stands_before() -> None:
    french = texts_of("fr")

    assert not [text for text in french if re.search(r" [:;?!]", text)]
    assert any("\u00a0:" in text for text in french)
    assert not [text for text in texts_of("en") if "\u00a0" in text]


@pytest.fixture
async def http(mistral_url: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    hosting = {"route": mistral_url, "data_dir": tmp_path / "data", "master_keys": MASTER_KEY}
    settings = Settings.model_validate(hosting | {"signup": "code", "signup_code": "yes"})
    async with (
        serving(create_app(settings)) as base,
        httpx2.AsyncClient(base_url=base, headers=HERE) as client,
    ):
        yield client


async def send(http: httpx2.AsyncClient, path: str, query: str, **fields: str) -> httpx2.Response:
    page = await http.get(path + query)
    stamp = re.findall(r'name="stamp" value="([^"]+)"', page.text)[0]
    return await http.post(path + query, data={"stamp": stamp} | fields)


async def fetch_every_page(http: httpx2.AsyncClient, query: str = "") -> dict[str, str]:
    """With their problems, in the order a person meets them."""
    html = {"accept": "text/html"}
    key = {"api_key": KEY, "toolsets": "core", "signup_code": "yes"}
    made = await send(http, "/", query, **key)
    url = unescape(re.findall(r'id="url" value="([^"]+)"', made.text)[0])
    link = (await http.post("/connections", json={"api_key": KEY, "signup_code": "yes"})).json()
    of_key = await send(http, "/manage", query, token=KEY)
    held = dict(re.findall(r'name="(proof|connection)" value="([^"]+)"', of_key.text))
    unknown = "/uploads/up_" + "x" * 32
    pages = {
        "connect": await http.get("/" + query),
        "refused": await send(http, "/", query, **(key | {"api_key": "invalid-0123456789"})),
        "no key": await send(http, "/", query, **(key | {"api_key": ""})),
        "wrong": await send(http, "/", query, **key, label="x" * 101, expires_in_days="soon", route="cloudflare"),
        "no code": await send(http, "/", query, **(key | {"signup_code": "no"})),
        "foreign": await http.post("/" + query, headers={"sec-fetch-site": "cross-site"}),
        "stale": await http.post("/" + query, data={"stamp": "x"}),
        "made": made,
        "manage": await http.get("/manage" + query),
        "no address": await send(http, "/manage", query, token="x"),
        "unknown": await send(http, "/manage", query, token="mmcp_x"),
        "shown": await send(http, "/manage", query, token=url),
        "tried": await send(http, "/manage", query, token=url, do="try"),
        "not changed": await send(http, "/manage", query, token=url, do="change", expires_in_days="soon"),
        "rotated": await send(http, "/manage", query, token=link["token"], do="rotate"),
        "replaced": await send(http, "/manage", query, token=link["token"]),
        "of a key": of_key,
        "of no key": await send(http, "/manage", query, token="Q" * 32),
        "by key": await send(http, "/manage", query, **held),
        "changed by key": await send(http, "/manage", query, **held, do="change", label="x"),
        "not changed by key": await send(http, "/manage", query, **held, do="change", label="x" * 101),
        "revoked by key": await send(http, "/manage", query, **held, do="revoke"),
        "address": await http.get(url + query, headers=html),
        "revoked": await send(http, "/manage", query, token=url, do="revoke"),
        "dead": await http.get(url + query, headers=html),
        "endpoint": await http.get("/mcp" + query, headers=html),
        "not found": await http.get("/nothing" + query, headers=html),
        "privacy": await http.get("/privacy" + query),
        "no upload": await http.get(unknown + query),
        "no consent": await http.get(f"/consent{query}"),
    }
    return {name: page.text for name, page in pages.items()}


def read_aloud(page: str) -> str:
    """What a person sees or hears of a page, but for what is to be copied or is no language."""
    page = re.sub(r"(?s)<(code|pre|script)\b.*?</\1>", " ", page)
    page = re.sub(r'(?s)<(\w+)[^>]* lang="[^"]*"[^>]*>.*?</\1>', " ", page[page.index("<head") :])
    said = re.findall(r'(?:aria-label|placeholder|data-(?!for)[a-z-]+|alt|title)="([^"]*)"', page)
    return unescape(" ".join([re.sub(r"<[^>]*>", " ", page), *said]))


async def test_no_english_is_left_on_a_french_page(http: httpx2.AsyncClient) -> None:
    http.headers.update(FRENCH)
    for name, page in (await fetch_every_page(http)).items():
        heard = read_aloud(page)

        assert '<html lang="fr">' in page, name
        assert not ENGLISH.findall(heard), (name, ENGLISH.search(heard), heard)


async def test_a_language_that_was_chosen_stays_in_every_link_and_form(http: httpx2.AsyncClient) -> None:
    for name, page in (await fetch_every_page(http, "?lang=fr")).items():
        own = re.findall(r'(?:href|action)="(/[^"]*)"', page)
        pages = [link for link in own if not re.match(r"/static/|/favicon|/icon|.*lang=en", link)]

        assert '<html lang="fr">' in page, name
        assert pages, name
        assert all("lang=fr" in link for link in pages), (name, pages)


async def test_the_switch_leads_to_the_same_page_in_the_other_language(http: httpx2.AsyncClient) -> None:
    english = await http.get("/privacy")
    switch = re.findall(r'<a href="([^"]+)" hreflang="fr" lang="fr">Fran', english.text)[0]
    french = await http.get("/privacy" + switch)

    assert french.headers["content-language"] == "fr"
    assert "<h1>Confidentialit" in french.text
    assert 'href="?lang=en" hreflang="en"' in french.text


async def test_a_connection_is_shown_in_the_other_language_by_a_form_since_its_address_is_in_no_link(
    http: httpx2.AsyncClient,
) -> None:
    made = await send(http, "/", "", api_key=KEY, toolsets="core", signup_code="yes")
    form = re.findall(r'(?s)<form method="post" action="(/manage\?lang=fr)">(.*?)</form>', made.text)[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[1]))
    french = await http.post(form[0], data=fields)

    assert "<h1>Votre connexion</h1>" in french.text
    assert fields["token"] in french.text
