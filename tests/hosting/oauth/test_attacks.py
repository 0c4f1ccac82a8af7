"""What an attacker tries against the sign-in, a row each."""

import re

import httpx2
import pytest

from tests.conftest import KEY
from tests.hosting.oauth.conftest import OAuthClient
from tests.http.conftest import HEADERS, PING


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

    assert (await client.redeem(code, code_verifier="x" * 43)).json()["error"] == "invalid_grant"
    assert (await other.redeem(code)).json()["error"] == "invalid_grant"
    assert (await client.redeem(code, redirect_uri="http://127.0.0.1:1/other")).status_code == 400
    assert (await client.redeem(code, resource="https://elsewhere.example/mcp")).json()[
        "error"
    ] == "invalid_target"
    assert (await client.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/callback", "http://127.0.0.1:47823/other", "http://evil.example@127.0.0.1/callback"],
)
async def test_nobody_is_sent_to_an_address_that_was_not_registered(client: OAuthClient, uri: str) -> None:
    refused = await client.http.get(client.authorize_url(redirect_uri=uri))

    assert refused.status_code == 400
    assert "location" not in refused.headers


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
