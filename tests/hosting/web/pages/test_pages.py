"""The connect page as any browser gets it, over real sockets: forms, errors, headers. `test_browser` uses a real one."""

import re
import time
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.vault.connection import new_id
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.hosting.vault.vault import AlreadyCreated, Vault
from mistral_mcp.hosting.web import pages
from mistral_mcp.hosting.web.forms import LIFETIME, FormTokens
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, connect_to, pairs_of, serving, text_of
from tests.hosting.conftest import MASTER_KEY
from tests.http.conftest import HEADERS, PING

OTHER_MASTER_KEY = "fedcba9876543210" * 4
STATIC = Path(pages.__file__).parent / "static"
HERE = {"sec-fetch-site": "same-origin"}
SCRIPT = "\"'><script>alert(1)</script>"


@pytest.fixture
def hosting(mistral_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"route": mistral_url, "data_dir": tmp_path / "data", "master_keys": MASTER_KEY}


def stamp_in(page: str) -> str:
    found = re.search(r'name="stamp" value="([^"]+)"', page)
    assert found, page
    return found[1]


def url_in(page: str) -> str:
    found = re.search(r'id="url" value="([^"]+)"', page)
    assert found, page
    return unescape(found[1])


async def send(http: httpx2.AsyncClient, path: str = "/", **fields: Any) -> httpx2.Response:
    """Fill the form in and send it, as a browser without JavaScript does."""
    stamp = stamp_in((await http.get(path)).text)
    return await http.post(path, data={"stamp": stamp} | fields, headers=HERE)


async def create_connection(http: httpx2.AsyncClient, **fields: Any) -> str:
    """The secret URL."""
    response = await send(http, **({"api_key": KEY, "toolsets": ["core", "models"]} | fields))
    assert response.status_code == 200, response.text
    return url_in(response.text)


async def count_created(http: httpx2.AsyncClient) -> int:
    found = re.search(r'mistral_mcp_connections_total\{event="created"\} (\d+)', (await http.get("/metrics")).text)
    return int(found[1]) if found else 0


async def fetch_every_page(http: httpx2.AsyncClient) -> dict[str, httpx2.Response]:
    url = await create_connection(http, label="laptop")
    answers = {
        "connect": await http.get("/"),
        "not yet": await send(http, api_key="invalid-0123456789"),
        "made": await send(http, api_key=KEY, toolsets="core"),
        "manage": await http.get("/manage"),
        "unknown": await send(http, "/manage", token="mmcp_x"),
        "shown": await send(http, "/manage", token=url),
        "tried": await send(http, "/manage", token=url, do="try"),
        "address": await http.get(url, headers={"accept": "text/html"}),
    }
    again = {"stamp": stamp_in(answers["connect"].text), "api_key": KEY, "toolsets": "core"}
    await http.post("/", data=again)
    answers["already"] = await http.post("/", data=again)
    answers["rotated"] = await send(http, "/manage", token=url, do="rotate")
    answers["revoked"] = await send(http, "/manage", token=url_in(answers["rotated"].text), do="revoke")
    return answers


async def test_no_page_is_kept_framed_or_told_of_to_others(http: httpx2.AsyncClient) -> None:
    for name, page in (await fetch_every_page(http)).items():
        headers = page.headers
        assert headers["cache-control"] == "no-store", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert headers["x-content-type-options"] == "nosniff", name
        assert "set-cookie" not in headers, name
        assert "location" not in headers, name
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }, name


async def test_no_page_needs_anything_inline_or_from_elsewhere(http: httpx2.AsyncClient) -> None:
    for name, page in (await fetch_every_page(http)).items():
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/)", page.text), name
        loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', page.text)
        assert loaded, name
        assert all(re.match(r"/static/|/favicon.ico$|/icon.png$", link) for link in loaded), name


async def test_every_field_is_labelled_and_every_id_is_there_once(http: httpx2.AsyncClient) -> None:
    for name, page in (await fetch_every_page(http)).items():
        ids = re.findall(r'\bid="([^"]+)"', page.text)
        assert len(ids) == len(set(ids)), name
        for reference in re.findall(r'(?:aria-describedby|aria-labelledby|data-for|\bfor)="([^"]*)"', page.text):
            assert set(reference.split()) <= set(ids), (name, reference)
        for field in re.findall(r"<(?:input|select)[^>]*>", page.text):
            assert re.search(r'type="(hidden|checkbox|radio)"', field) or re.search(r'\bid="', field), (
                name,
                field,
            )


def test_every_colour_of_text_can_be_read_on_its_ground() -> None:
    css = (STATIC / "page.css").read_text()
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", css)
    )
    grounds = {
        "ink": ("paper", "card", "tint", "bad-tint"),
        "quiet": ("paper", "card", "tint"),
        "accent": ("paper", "card", "tint"),
        "accent-strong": ("paper", "card", "tint"),
        "on-accent": ("accent", "accent-strong"),
        "bad": ("card", "bad-tint"),
    }
    contrasts = dict.fromkeys(pairs_of(grounds), 4.5) | {("edge", "card"): 3.0}
    for scheme in (light, dark):
        for (text, ground), least in contrasts.items():
            assert contrast(scheme[text], scheme[ground]) >= least, (text, ground)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("file", "kind"), [("page.css", "text/css"), ("page.js", "javascript"), ("logo.svg", "svg")]
)
async def test_the_files_of_the_pages_are_requested_again_and_counted_under_one_name(
    http: httpx2.AsyncClient, file: str, kind: str
) -> None:
    first = await http.get(f"/static/{file}")
    again = await http.get(f"/static/{file}", headers={"if-none-match": first.headers["etag"]})

    assert kind in first.headers["content-type"]
    assert (first.headers["cache-control"], first.headers["x-content-type-options"]) == ("no-cache", "nosniff")
    assert again.status_code == 304
    assert (await http.get("/static/%2e%2e/pages.py")).status_code == 404
    assert 'route="/static/{path}"' in (await http.get("/metrics")).text


async def test_a_key_becomes_an_address_that_works_and_an_entry_for_each_client(
    http: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    page = (
        await send(http, api_key=KEY, label="my phone", toolsets="core", expires_in_days="30", read_only="yes")
    ).text
    url = url_in(page)

    assert "lmn1" in page
    assert KEY not in page
    assert unescape(page).count(url) > 8
    for client in ("Claude Code", "Cursor", "VS Code", "Codex", "Gemini", "ChatGPT", "Vibe", "Any other client"):
        assert client in page
    assert f"claude mcp add --transport http --scope user mistral {url}" in page
    assert 'href="cursor://' in page
    assert 'href="vscode:' in page
    async with connect_to(url, {}) as client:
        assert "mistral_list_models" not in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})
    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].key == KEY
    shown = (await send(http, "/manage", token=url)).text
    assert "my phone" in shown
    assert "core, read only" in shown


async def test_no_link_to_another_site_holds_the_token(http: httpx2.AsyncClient) -> None:
    page = await send(http, api_key=KEY, toolsets="core")
    token = url_in(page.text).split("/")[-2]

    links = re.findall(r'href="(https?://[^"]+)"', page.text)
    assert links
    assert not any(token in link for link in links)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        (
            {"sec-fetch-site": "same-origin", "origin": "null"},
            200,
        ),  # what browsers send from a page with no-referrer
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "{own}"}, 403),
        ({"origin": "{own}"}, 200),
        ({"origin": "null"}, 200),  # browsers leave Sec-Fetch-Site out where there is no TLS
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "{own}.evil.example"}, 403),
        ({"origin": "http://[evil"}, 403),
        ({}, 200),
    ],
)
async def test_only_a_form_sent_from_here_is_read(
    http: httpx2.AsyncClient, base: str, headers: dict[str, str], status: int
) -> None:
    fields = {
        "stamp": stamp_in((await http.get("/")).text),
        "api_key": KEY,
        "toolsets": "core",
        "label": "of mine",
    }
    sent = {name: value.replace("{own}", base) for name, value in headers.items()}
    response = await http.post("/", data=fields, headers=sent)
    of_no_address = await http.post("/manage", data=fields, headers=sent)

    assert of_no_address.status_code == (422 if status == 200 else 403)
    assert response.status_code == status
    assert ("of mine" in response.text) == (status == 200)
    assert await count_created(http) == (status == 200)


@pytest.mark.parametrize("stamp", ["", "1.2.3", "ä.ö.ü", "another server's", "an old one"])
async def test_only_a_form_of_this_servers_is_answered(http: httpx2.AsyncClient, stamp: str) -> None:
    ours, others = (
        MasterKeys([bytes.fromhex(key)]).derive_keys("form stamps") for key in (MASTER_KEY, OTHER_MASTER_KEY)
    )
    made_of = {
        "another server's": FormTokens(others).issue(),
        "an old one": FormTokens(ours, now=lambda: time.time() - LIFETIME - 5).issue(),
    }
    fields = {"stamp": made_of.get(stamp, stamp), "api_key": KEY, "toolsets": "core", "label": "of mine"}
    response = await http.post("/", data=fields, headers=HERE)

    assert response.status_code == 422
    assert "open for too long" in response.text
    assert 'value="of mine"' in response.text
    assert KEY not in response.text
    assert await count_created(http) == 0
    assert (await http.post("/manage", data=fields, headers=HERE)).status_code == 422


async def test_a_form_filled_in_later_is_still_good_within_its_time(http: httpx2.AsyncClient) -> None:
    keys = MasterKeys([bytes.fromhex(MASTER_KEY)]).derive_keys("form stamps")
    stamp = FormTokens(keys, now=lambda: time.time() - LIFETIME + 60).issue()

    assert (await http.post("/", data={"stamp": stamp, "api_key": KEY, "toolsets": "core"})).status_code == 200


async def test_a_reload_makes_nothing(http: httpx2.AsyncClient) -> None:
    fields = {"stamp": stamp_in((await http.get("/")).text), "api_key": KEY, "toolsets": "core"}
    answers = [await http.post("/", data=fields, headers=HERE) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 409, 409]
    assert "done already" in answers[1].text
    assert "mmcp_" not in answers[1].text
    assert await count_created(http) == 1


async def test_replicas_answer_each_others_forms_once_in_all_even_while_the_master_key_changes(
    hosting: dict[str, Any],
) -> None:
    newer = hosting | {"master_keys": f"{OTHER_MASTER_KEY},{MASTER_KEY}"}
    async with (
        serving(create_app(Settings.model_validate(hosting))) as one,
        serving(create_app(Settings.model_validate(newer))) as other,
        httpx2.AsyncClient() as http,
    ):
        fields = {"stamp": stamp_in((await http.get(one)).text), "api_key": KEY, "toolsets": "core"}
        statuses = [(await http.post(url, data=fields)).status_code for url in (other, one, other)]

    assert statuses == [200, 409, 409]


async def test_a_connection_of_one_id_is_made_once_on_either_database(vault: Vault) -> None:
    form_id = new_id()
    first = await vault.create(SecretStr(KEY), connection_id=form_id)
    with pytest.raises(AlreadyCreated):
        await vault.create(SecretStr(KEY), connection_id=form_id)

    assert [connection.id for connection in await vault.connections()] == [form_id]
    assert (await vault.credentials(first.token, "")).key == SecretStr(KEY)


@pytest.mark.parametrize(
    ("fields", "beside"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "sk-0123456789abcdefghij"}, "api_key"),
        ({"api_key": "invalid-0123456789abcdef"}, "api_key"),
        ({"api_key": "two words"}, "api_key"),
        ({"label": "x" * 101}, "label"),
        ({"label": "a\u200bb"}, "label"),
        ({"toolsets": []}, "toolsets"),
        ({"toolsets": "cores"}, "toolsets"),
        ({"expires_in_days": "soon"}, "expires_in_days"),
        ({"expires_in_days": "0"}, "expires_in_days"),
        ({"route": "cloudflare"}, "route"),
        ({"route": "cloudflare", "route_account": "../x", "route_gateway": "y"}, "route"),
        ({"route": "https://evil.example"}, "route"),
        ({"route": "lava://byok"}, "route_token"),
        ({"route_token": "gAtEwAyToKeN0123"}, "route_token"),
    ],
)
async def test_what_cannot_be_taken_is_said_beside_its_field_with_the_rest_kept(
    http: httpx2.AsyncClient, fields: dict[str, Any], beside: str
) -> None:
    typed = {"api_key": KEY, "label": "kept & shown", "toolsets": ["models"], "expires_in_days": "90"} | fields
    response = await send(http, **typed)
    page = unescape(response.text)

    assert response.status_code == 422
    assert re.findall(r'id="(\w+)-wrong"', page) == [beside]
    assert len(re.findall(r"\bautofocus", page)) == (beside != "toolsets")
    assert await count_created(http) == 0
    for name in ("api_key", "route_token"):
        assert not typed.get(name) or typed[name] not in page
    if "label" not in fields:
        assert 'value="kept & shown"' in page
    if "toolsets" not in fields:
        assert 'value="models" checked' in page
        assert 'value="core" checked' not in page
    if "expires_in_days" not in fields:
        assert '<option value="90" selected>' in page


async def test_a_label_is_text_wherever_it_is_shown(http: httpx2.AsyncClient) -> None:
    not_yet = await send(http, label=SCRIPT, api_key="")
    url = await create_connection(http, label=SCRIPT)
    shown = await send(http, "/manage", token=url)
    revoked = await send(http, "/manage", token=url, do="revoke")

    for page in (not_yet, shown, revoked):
        assert "<script>alert" not in page.text
        assert SCRIPT in unescape(page.text)


async def test_a_key_that_cannot_be_checked_is_not_kept(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503, times=None))
    response = await send(http, api_key=KEY, toolsets="core", label="later")

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert 'role="alert"' in response.text
    assert 'value="later"' in response.text
    assert KEY not in response.text


@pytest.mark.parametrize("status", [429, 503])
async def test_a_key_is_checked_in_one_attempt_and_what_failed_is_said_in_words_for_people(
    http: httpx2.AsyncClient, sandbox: Sandbox, status: int
) -> None:
    sandbox.faults.append(Fault(status=status, headers={"retry-after": "20"}, times=None))
    began = time.monotonic()
    response = await send(http, api_key=KEY, toolsets="core")

    assert time.monotonic() - began < 5
    assert len(sandbox.requests) == 1
    assert not re.search(r"mistral_\w+|HTTP \d|correlation", re.sub(r"<[^>]*>", " ", response.text))
    assert 'data-busy="Checking the key with Mistral' in response.text


@pytest.mark.parametrize("path", ["/", "/manage"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"label=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"a=b" for _ in range(200)), "application/x-www-form-urlencoded"),
        ("label=ü".encode(), "application/x-www-form-urlencoded"),
        (b'{"api_key": "x"}', "text/plain"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)
async def test_what_is_no_form_or_too_large_for_one_is_refused(
    http: httpx2.AsyncClient, path: str, body: bytes, kind: str
) -> None:
    response = await http.post(path, content=body, headers={"content-type": kind})

    assert response.status_code == 422
    assert response.headers["cache-control"] == "no-store"


async def test_wrong_keys_and_addresses_are_rate_limited_and_right_ones_never(http: httpx2.AsyncClient) -> None:
    url = await create_connection(http)
    statuses = [(await send(http, api_key="invalid-0123456789", toolsets="core")).status_code for _ in range(25)]
    wrong_address = await send(http, "/manage", token="mmcp_wrong")

    assert statuses[0] == 422
    assert statuses[-1] == wrong_address.status_code == 429
    assert int(wrong_address.headers["retry-after"]) > 0
    assert (await send(http, "/manage", token=url)).status_code == 200
    assert (await send(http, api_key=KEY, toolsets="core")).status_code == 200


@pytest.mark.parametrize(
    "form", ["{url}", "{token}", " {url}\n", "{url}?toolsets=core", "Bearer {token}", '"{url}"']
)
async def test_manage_takes_the_address_however_it_was_copied(http: httpx2.AsyncClient, form: str) -> None:
    url = await create_connection(http, label="laptop")
    response = await send(http, "/manage", token=form.format(url=url, token=url.split("/")[-2]))

    assert response.status_code == 200
    assert "laptop" in response.text
    assert url_in(response.text) == url
    assert "Last used</dt><dd>never" in response.text


@pytest.mark.parametrize(
    ("token", "status"), [("", 422), ("https://example.org", 422), ("mmcp_", 422), ("mmcp_mistyped", 404)]
)
async def test_what_is_no_address_of_ours_is_reported_beside_the_field(
    http: httpx2.AsyncClient, token: str, status: int
) -> None:
    response = await send(http, "/manage", token=token)

    assert response.status_code == status
    assert 'id="token-wrong"' in response.text
    assert not token.removeprefix("mmcp_") or token not in response.text


async def test_replacing_an_address_ends_the_old_one(http: httpx2.AsyncClient) -> None:
    old = await create_connection(http)
    fields = {"stamp": stamp_in((await http.get("/manage")).text), "token": old, "do": "rotate"}
    rotated = await http.post("/manage", data=fields)
    reloaded = await http.post("/manage", data=fields)

    assert (await http.post(old, json=PING, headers=HEADERS)).status_code == 410
    assert (await http.post(url_in(rotated.text), json=PING, headers=HEADERS)).status_code == 200
    assert reloaded.status_code == 410
    assert "replaced by a newer one" in reloaded.text


async def test_a_connection_is_changed_and_the_address_stays(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    url = await create_connection(http, label="old")
    other = "oThErKeY0123456789abcdefghijklmn"
    fields = {"label": "new", "toolsets": ["core"], "read_only": "yes", "expires_in_days": "30", "api_key": other}
    page = await send(http, "/manage", token=url, do="change", **fields)

    assert page.status_code == 200
    assert "was changed" in page.text
    assert url_in(page.text) == url
    assert "<dt>Label</dt><dd>new</dd>" in page.text
    assert "core, read only" in page.text
    assert other not in page.text
    async with connect_to(url, {}) as client:
        assert not (await client.call_tool("mistral_chat", {"prompt": "Hi"})).is_error
    assert sandbox.requests[-1].key == other


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"api_key": "invalid-0123456789abcdef"}, "refused the key"),
        ({"api_key": "two words"}, "Mistral API key"),
        ({"toolsets": []}, "Choose at least one"),
        ({"expires_in_days": "soon"}, "Choose one of these"),
    ],
)
async def test_a_change_that_cannot_be_made_is_said_and_changes_nothing(
    http: httpx2.AsyncClient, fields: dict[str, Any], words: str
) -> None:
    url = await create_connection(http, label="old")
    asked = {"label": "new", "toolsets": ["core"], "expires_in_days": "keep"} | fields
    page = await send(http, "/manage", token=url, do="change", **asked)

    assert page.status_code == 422
    assert "Nothing was changed." in page.text
    assert words in unescape(page.text)
    assert "<dt>Label</dt><dd>old</dd>" in page.text


async def test_ending_a_connection_ends_it(http: httpx2.AsyncClient) -> None:
    url = await create_connection(http)
    response = await send(http, "/manage", token=url, do="revoke")

    assert response.status_code == 200
    assert "mmcp_" not in response.text
    assert (await http.post(url, json=PING, headers=HEADERS)).status_code == 410
    assert (await send(http, "/manage", token=url)).status_code == 410


@pytest.mark.parametrize(("toolsets", "tool"), [("core", "mistral_chat"), ("models", "mistral_list_models")])
async def test_one_live_call_goes_the_way_a_clients_does(
    http: httpx2.AsyncClient, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, toolsets: str, tool: str
) -> None:
    url = await create_connection(http, toolsets=toolsets)
    caplog.set_level("DEBUG")
    response = await send(http, "/manage", token=url, do="try")

    assert "It works." in response.text
    assert tool in response.text
    assert sandbox.requests[-1].key == KEY
    assert "Last used</dt><dd>never" not in response.text
    assert url.split("/")[-2] not in "\n".join(record.getMessage() for record in caplog.records)


async def test_a_live_call_that_fails_says_why(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    url = await create_connection(http)
    sandbox.faults.append(Fault(status=401, times=None, echo_key=True))
    response = await send(http, "/manage", token=url, do="try")

    assert response.status_code == 200
    assert "The call failed." in response.text
    assert "refused the key" in response.text
    assert KEY not in response.text


async def test_no_live_call_is_offered_where_no_cheap_one_is_allowed(http: httpx2.AsyncClient) -> None:
    url = await create_connection(http, toolsets="documents")

    assert 'value="try"' not in (await send(http, "/manage", token=url)).text
    assert (await send(http, "/manage", token=url, do="try")).status_code == 422


@pytest.mark.parametrize(
    ("signup", "code", "status"),
    [("off", "yes", 403), ("code", "", 403), ("code", "no", 403), ("code", "yes", 200)],
)
async def test_who_may_connect_is_the_operators_choice(
    hosting: dict[str, Any], signup: str, code: str, status: int
) -> None:
    settings = Settings.model_validate(
        hosting | {"signup": signup} | ({"signup_code": "yes"} if signup == "code" else {})
    )
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        page = (await http.get("/")).text
        assert ('name="signup_code"' in page) == (signup == "code")
        assert ('name="api_key"' in page) == (signup != "off")
        fields = {"stamp": FormTokens(MasterKeys([bytes.fromhex(MASTER_KEY)]).derive_keys("form stamps")).issue()}
        fields |= {"api_key": KEY, "toolsets": "core", "signup_code": code}
        response = await http.post("/", data=fields)
        assert response.status_code == status
        assert ('id="signup_code-wrong"' in response.text) == (signup == "code" and status == 403)


async def test_only_what_the_operator_offers_can_be_chosen(hosting: dict[str, Any]) -> None:
    settings = Settings.model_validate(hosting | {"toolsets": "core,documents", "read_only": True})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        page = (await http.get("/")).text

    assert re.findall(r'name="toolsets" value="(\w+)"( checked)?', page) == [
        ("core", " checked"),
        ("documents", " checked"),
    ]
    assert 'name="read_only"' not in page


async def test_behind_a_proxy_the_pages_live_under_the_public_url(hosting: dict[str, Any]) -> None:
    settings = Settings.model_validate(hosting | {"public_url": "https://example.org/mistral"})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        page = (await send(http, api_key=KEY, toolsets="core")).text

    assert url_in(page).startswith("https://example.org/mistral/c/mmcp_")
    own = re.findall(r'(?:src|href|action)="(/[^"]*)"', page)
    assert own
    assert all(link.startswith("/mistral/") for link in own)
    assert "has no https" not in page


async def test_a_secret_url_opened_in_a_browser_says_where_it_belongs_and_repeats_nothing_of_it(
    http: httpx2.AsyncClient,
) -> None:
    url = await create_connection(http)
    response = await http.get(url, headers={"accept": "text/html,*/*"})

    assert response.status_code == 200
    assert "paste it into your MCP client" in response.text
    assert "mmcp_" not in response.text
    assert "Last used</dt><dd>never" in (await send(http, "/manage", token=url)).text
