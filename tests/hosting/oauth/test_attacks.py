"""What an attacker tries against the sign-in. `ATTACKS` is the table: each row names the tests that show what comes of it."""

import logging
import re
from html import unescape
from itertools import chain
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.client.auth import OAuthFlowError

from tests.conftest import KEY
from tests.hosting.oauth.conftest import REDIRECT, OAuthClient
from tests.hosting.oauth.sdk import SdkClient
from tests.http.conftest import HEADERS, PING

ATTACKS = {
    "a code is played again": (
        "test_a_code_that_comes_twice_ends_what_came_of_it",
        "test_of_codes_that_come_at_the_same_time_one_is_good",
    ),
    "a code is stolen or guessed": (
        "test_a_code_is_worth_nothing_without_its_verifier_or_to_another_client",
        "test_a_mistyped_code_is_refused",
    ),
    "PKCE is left out or weakened, at either end": (
        "test_a_weaker_flow_is_refused",
        "test_a_code_is_worth_nothing_without_its_verifier_or_to_another_client",
    ),
    "a client mixes up two servers": (
        "test_the_way_back_carries_state_and_issuer",
        "test_an_error_carries_the_issuer_too",
        "test_the_sdks_client_takes_no_code_of_another_issuer",
    ),
    "a person is sent elsewhere": (
        "test_nobody_is_sent_to_an_address_that_was_not_registered",
        "test_nobody_is_sent_elsewhere_by_an_error_without_a_look",
        "test_an_address_that_a_browser_would_run_cannot_be_registered",
        "test_an_answer_that_was_changed_on_its_way_leads_nowhere",
    ),
    "another site's form agrees": (
        "test_another_sites_form_agrees_to_nothing",
        "test_a_request_that_was_changed_on_its_way_is_not_shown",
    ),
    "the consent page lies under another site's": (
        "test_the_consent_page_cannot_be_framed_and_its_form_leads_to_the_client_alone",
        "test_another_sites_frame_of_the_consent_page_stays_empty",
    ),
    "a client document leads inside": (
        "test_no_document_is_fetched_from_an_address_that_is_not_public",
        "test_an_id_on_this_machine_or_its_network_is_resolved_and_refused",
        "test_a_host_that_resolves_to_the_inside_is_not_dialed",
        "test_one_private_address_among_public_ones_is_enough_to_fetch_nothing",
        "test_no_such_url_is_taken_for_a_client",
    ),
    "a client document leads inside by a redirect": (
        "test_what_redirects_describes_no_client_and_is_not_followed",
    ),
    "a client document leads inside by rebinding": (
        "test_a_document_is_fetched_from_the_very_address_that_was_looked_at",
        "test_a_host_that_resolves_otherwise_a_moment_later_gains_nothing",
    ),
    "client documents make the server send requests to others": ("test_nobody_has_the_server_fetch_without_end",),
    "a client document is another's, or too much": (
        "test_a_document_that_is_not_the_clients_own_is_not_used",
        "test_a_host_that_cannot_prove_its_name_describes_no_client",
    ),
    "a token of another resource, or for another use": (
        "test_an_access_token_opens_neither_pages_nor_secret_urls_nor_another_server",
        "test_a_refresh_can_give_up_a_scope_and_never_gain_one",
        "test_one_clients_refresh_token_is_worth_nothing_to_another",
    ),
    "a refresh token is used again": (
        "test_a_refresh_token_that_comes_back_ends_the_grant",
        "test_a_refresh_gives_new_tokens_and_the_old_one_lives_until_the_new_one_is_used",
    ),
    "registrations flood the table": (
        "test_registrations_are_limited_per_address",
        "test_clients_that_register_are_counted_for_their_network",
        "test_a_flood_of_registrations_is_bounded_and_makes_room_after_an_hour",
    ),
    "a client calls itself somebody": (
        "test_a_name_is_shown_as_it_is_and_called_unchecked",
        "test_a_name_that_reads_otherwise_than_it_is_written_is_refused",
        "test_the_consent_page_names_the_host_that_vouches_for_a_client",
    ),
}


def test_each_row_of_the_table_is_tested() -> None:
    hosting = Path(__file__).parents[1]
    sources = "\n".join(file.read_text(encoding="utf-8") for file in hosting.rglob("test_*.py"))
    named = chain.from_iterable(ATTACKS.values())
    missing = [name for name in named if f"def {name}(" not in sources]

    assert not missing


async def is_signed_in(client: OAuthClient, token: str) -> bool:
    answer = await client.http.post("/mcp", json=PING, headers=HEADERS | {"authorization": f"Bearer {token}"})
    return answer.status_code != 401


async def test_a_code_that_comes_twice_ends_what_came_of_it(client: OAuthClient) -> None:
    code = await client.code()
    tokens = (await client.redeem(code)).json()

    again = await client.redeem(code)
    assert again.json()["error"] == "invalid_grant"
    assert not await is_signed_in(client, tokens["access_token"])
    assert (await client.refresh(tokens["refresh_token"])).status_code == 400


async def test_of_codes_that_come_at_the_same_time_one_is_good(client: OAuthClient) -> None:
    code = await client.code()
    answers: list[httpx2.Response] = []

    async def redeem() -> None:
        answers.append(await client.redeem(code))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(redeem)

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    good = next(answer for answer in answers if answer.is_success).json()
    assert not await is_signed_in(client, good["access_token"])  # nobody can say whose it is


async def test_a_refresh_token_that_comes_back_ends_the_grant(client: OAuthClient) -> None:
    first = await client.tokens()
    second = (await client.refresh(first["refresh_token"])).json()
    third = (await client.refresh(second["refresh_token"])).json()

    assert (await client.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await is_signed_in(client, third["access_token"])
    assert (await client.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
    ],
    ids=["no PKCE", "plain PKCE", "implicit flow"],
)
async def test_a_weaker_flow_is_refused(client: OAuthClient, changes: dict[str, str | None]) -> None:
    refused = await client.http.get(client.authorize_url(**changes))

    assert "error=" in refused.headers["location"]
    assert "code=" not in refused.headers["location"].partition("error=")[0]


async def test_a_code_is_worth_nothing_without_its_verifier_or_to_another_client(client: OAuthClient) -> None:
    other = OAuthClient(client.http, verifier=client.verifier)
    await other.register()
    code = await client.code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}

    without = await client.http.post("/token", data=form | {"client_id": client.client_id})
    assert without.status_code == 400

    assert (await client.redeem(code, code_verifier="x" * 43)).json()["error"] == "invalid_grant"
    assert (await other.redeem(code)).json()["error"] == "invalid_grant"
    assert (await client.redeem(code, redirect_uri="http://127.0.0.1:1/other")).status_code == 400
    assert (await client.redeem(code, resource="https://elsewhere.example/mcp")).json()[
        "error"
    ] == "invalid_target"
    assert (await client.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        "http://127.0.0.1:47823/other",
        "http://127.0.0.1:47823/callback/../other",
        "http://127.0.0.1:47823/callback?next=https://evil.example",
        "http://127.0.0.1:47823@evil.example/callback",
        "http://127.0.0.1.evil.example:47823/callback",
        "http://evil.example@127.0.0.1/callback",
        "//evil.example/callback",
    ],
)
async def test_nobody_is_sent_to_an_address_that_was_not_registered(client: OAuthClient, uri: str) -> None:
    refused = await client.http.get(client.authorize_url(redirect_uri=uri))

    assert refused.status_code == 400
    assert "location" not in refused.headers


async def test_nobody_is_sent_elsewhere_by_an_error_without_a_look(http: httpx2.AsyncClient, base: str) -> None:
    client = OAuthClient(http, redirect_uri="https://evil.example/callback")
    await client.register()

    refused = await http.get(client.authorize_url(response_type="token"))
    assert refused.headers["location"].startswith("consent?refused=")
    page = await http.get(f"/{refused.headers['location']}")
    assert page.status_code == 400
    assert "location" not in page.headers
    link = unescape(re.findall(r'href="(https://evil[^"]*)"', page.text)[0])
    answer = httpx2.URL(link).params
    assert (answer["error"], answer["state"], answer["iss"]) == ("unsupported_response_type", "a-state", base)


async def test_an_answer_that_was_changed_on_its_way_leads_nowhere(http: httpx2.AsyncClient) -> None:
    client = OAuthClient(http, redirect_uri="https://evil.example/callback")
    await client.register()
    location = (await http.get(client.authorize_url(response_type="token"))).headers["location"]
    request = (await http.get(client.authorize_url())).headers["location"].partition("request=")[2]

    for changed in (location[:-3], f"consent?refused={request}"):
        page = await http.get(f"/{changed}")
        assert page.status_code == 422
        assert "evil.example" not in page.text


async def test_a_loopback_address_may_change_its_port(client: OAuthClient) -> None:
    answer = await client.http.get(client.authorize_url(redirect_uri="http://127.0.0.1:5555/callback"))

    assert answer.headers["location"].startswith("consent?")


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://evil.example/callback",
        "file:///etc/passwd",
        "https://a@b.example/",
    ],
)
async def test_an_address_that_a_browser_would_run_cannot_be_registered(
    http: httpx2.AsyncClient, uri: str
) -> None:
    refused = await OAuthClient(http).register(redirect_uris=[uri])

    assert refused.status_code == 400


async def test_an_app_with_a_scheme_of_its_own_can_register(http: httpx2.AsyncClient) -> None:
    client = OAuthClient(http, redirect_uri="cursor://anysphere.cursor-mcp/oauth/callback")
    assert (await client.register()).status_code == 201

    assert (await client.redeem(await client.code())).status_code == 200


async def test_the_consent_page_cannot_be_framed_and_its_form_leads_to_the_client_alone(
    client: OAuthClient,
) -> None:
    location = (await client.http.get(client.authorize_url())).headers["location"]
    page = await client.http.get(f"/{location}")

    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:47823;" in policy


async def test_another_sites_form_agrees_to_nothing(client: OAuthClient) -> None:
    location = (await client.http.get(client.authorize_url())).headers["location"]
    page = await client.http.get(f"/{location}")
    form = dict(re.findall(r'name="(stamp|request)" value="([^"]*)"', page.text)) | {
        "api_key": KEY,
        "decision": "allow",
    }

    foreign = await client.http.post("/consent", data=form, headers={"sec-fetch-site": "cross-site"})
    unstamped = await client.http.post("/consent", data=form | {"stamp": "no"})
    assert foreign.status_code == 403
    assert unstamped.status_code == 422
    assert "location" not in foreign.headers


async def test_a_request_that_was_changed_on_its_way_is_not_shown(client: OAuthClient) -> None:
    location = (await client.http.get(client.authorize_url())).headers["location"]

    page = await client.http.get(f"/{location}"[:-3])
    assert page.status_code == 422
    assert "Start again" in page.text


async def test_a_name_is_shown_as_it_is_and_called_unchecked(http: httpx2.AsyncClient) -> None:
    client = OAuthClient(http)
    await client.register(client_name="<b>Claude</b> (verified)")
    location = (await client.http.get(client.authorize_url())).headers["location"]

    page = (await client.http.get(f"/{location}")).text
    assert "&lt;b&gt;Claude&lt;/b&gt; (verified)" in page
    assert "nobody has checked it" in page
    assert "127.0.0.1:47823" in page


@pytest.mark.parametrize(
    "name", ["Claude\u202eedualC", "Claude\u200b", "Claude\nYou return to claude.ai", "C" * 101]
)
async def test_a_name_that_reads_otherwise_than_it_is_written_is_refused(
    http: httpx2.AsyncClient, name: str
) -> None:
    refused = await OAuthClient(http).register(client_name=name)

    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_client_metadata"


async def test_the_sdks_client_takes_no_code_of_another_issuer(http: httpx2.AsyncClient, base: str) -> None:
    sdk = SdkClient(http, f"{base}/mcp", issuer="https://evil.example")
    with pytest.raises(ExceptionGroup) as raised:
        async with sdk.connect():
            pass

    assert raised.group_contains(OAuthFlowError)
    assert sdk.memory.tokens is None


async def test_one_clients_refresh_token_is_worth_nothing_to_another(client: OAuthClient) -> None:
    other = OAuthClient(client.http)
    await other.register()
    tokens = await client.tokens()

    assert (await other.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    revoked = {"token": tokens["refresh_token"], "client_id": other.client_id}
    await client.http.post("/revoke", data=revoked)
    assert await is_signed_in(client, tokens["access_token"])


async def test_an_access_token_opens_neither_pages_nor_secret_urls_nor_another_server(
    client: OAuthClient, base: str
) -> None:
    tokens = await client.tokens()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert (await client.http.get("/connections/current", headers={"x-api-key": token})).status_code == 401
        assert (await client.http.post(f"/c/{token}/mcp", json=PING, headers=HEADERS)).status_code == 404
        assert (
            await client.http.post("/mcp", json=PING, headers=HEADERS | {"x-api-key": token})
        ).status_code == 401
    assert not await is_signed_in(client, tokens["refresh_token"])
    elsewhere = HEADERS | {
        "authorization": f"Bearer {tokens['access_token']}",
        "host": base.removeprefix("http://").replace("127.0.0.1", "localhost"),
    }
    assert (await client.http.post("/mcp", json=PING, headers=elsewhere)).status_code == 401


async def test_registrations_are_limited_per_address(http: httpx2.AsyncClient) -> None:
    answers = [(await OAuthClient(http).register()).status_code for _ in range(40)]

    assert answers[0] == 201
    assert answers[-1] == 429
    assert (await http.post("/register", content=b"x" * 100_000)).status_code == 413


async def test_a_mistyped_code_is_refused(client: OAuthClient) -> None:
    code = await client.code()
    mistyped = code[:-1] + ("x" if code[-1] != "x" else "y")

    assert (await client.redeem(mistyped)).json()["error"] == "invalid_grant"
    assert (await client.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n" * 3, 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 2_000, 400),
        ("application/x-www-form-urlencoded", b"a=" + b"1" * 100_000, 413),
    ],
    ids=["no form", "too many fields", "too large"],
)
async def test_a_hostile_form_for_the_consent_is_refused_and_is_no_error_of_the_server(
    client: OAuthClient, caplog: pytest.LogCaptureFixture, kind: str, body: bytes, status: int
) -> None:
    refused = await client.http.post("/authorize", content=body, headers={"content-type": kind})

    assert refused.status_code == status
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
