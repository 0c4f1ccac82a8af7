"""`/manage` lists the clients that signed in, and can remove each."""

import re
from html import unescape
from typing import Any

import httpx2

from tests.conftest import KEY
from tests.hosting.oauth.conftest import OAuthClient
from tests.http.conftest import HEADERS, PING

HERE = {"sec-fetch-site": "same-origin"}


async def connect(http: httpx2.AsyncClient) -> dict[str, Any]:
    return (await http.post("/connections", json={"api_key": KEY, "label": "laptop"})).json()


async def sign_in(http: httpx2.AsyncClient, name: str, url: str, access: str = "write") -> str:
    """An access token for this connection."""
    client = OAuthClient(http)
    await client.register(client_name=name)
    code = await client.code(token=url, api_key="", access=access)
    return (await client.redeem(code)).json()["access_token"]


async def show(http: httpx2.AsyncClient, token: str, **fields: str) -> str:
    stamp = re.findall(r'name="stamp" value="([^"]+)"', (await http.get("/manage")).text)[0]
    return (await http.post("/manage", data={"stamp": stamp, "token": token} | fields, headers=HERE)).text


def grants_in(page: str) -> dict[str, dict[str, str]]:
    """The fields of the form that ends each, by the client's name."""
    found: dict[str, dict[str, str]] = {}
    for item in re.findall(r"(?s)<li>(.*?)</li>", page):
        name = unescape(re.findall(r"<b>(.*?)</b>", item)[0])
        found[name] = dict(re.findall(r'name="(\w+)" value="([^"]*)"', item))
    return found


async def ping_status(http: httpx2.AsyncClient, access_token: str) -> int:
    headers = {**HEADERS, "authorization": f"Bearer {access_token}"}
    return (await http.post("/mcp", json=PING, headers=headers)).status_code


async def test_clients_that_signed_in_are_listed_with_what_they_may_do(http: httpx2.AsyncClient) -> None:
    made = await connect(http)
    assert not grants_in(await show(http, made["url"]))
    await sign_in(http, "An <b>editor</b>", made["url"])
    await sign_in(http, "A reader", made["url"], "read")

    page = await show(http, made["url"])

    assert set(grants_in(page)) == {"An <b>editor</b>", "A reader"}
    assert "<b>editor" not in page
    assert page.count("It may do everything.") == 1
    assert page.count("It may only read and compute.") == 1
    assert not re.search(r"last used on never", page)


async def test_ending_one_client_leaves_the_others_and_the_address(http: httpx2.AsyncClient) -> None:
    made = await connect(http)
    ends = await sign_in(http, "Ends", made["url"])
    stays = await sign_in(http, "Stays", made["url"])
    fields = grants_in(await show(http, made["url"]))["Ends"]

    page = await show(http, fields["token"], do=fields["do"], grant=fields["grant"])

    assert "access has ended" in page
    assert list(grants_in(page)) == ["Stays"]
    assert [await ping_status(http, token) for token in (ends, stays)] == [401, 200]
    assert (await http.post(made["url"], json=PING, headers=HEADERS)).status_code == 200


async def test_nobody_ends_a_client_of_another_connection(http: httpx2.AsyncClient) -> None:
    mine, theirs = await connect(http), await connect(http)
    access_token = await sign_in(http, "Theirs", theirs["url"])
    grant = grants_in(await show(http, theirs["url"]))["Theirs"]["grant"]

    await show(http, mine["url"], do="end_grant", grant=grant)

    assert await ping_status(http, access_token) == 200
    assert list(grants_in(await show(http, theirs["url"]))) == ["Theirs"]


async def test_a_form_without_a_stamp_ends_nothing(http: httpx2.AsyncClient) -> None:
    made = await connect(http)
    access_token = await sign_in(http, "A client", made["url"])
    fields = grants_in(await show(http, made["url"]))["A client"] | {"stamp": ""}

    assert (await http.post("/manage", data=fields, headers=HERE)).status_code == 422
    assert await ping_status(http, access_token) == 200
