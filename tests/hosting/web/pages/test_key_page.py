"""`/manage` with a Mistral key shows and ends the connections created with it, and reveals nothing more."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from mistral_mcp.hosting.web.forms import LIFETIME, KeyProofs, StaleForm
from tests.conftest import KEY
from tests.hosting.conftest import tool_call
from tests.hosting.oauth.conftest import OAuthClient
from tests.http.conftest import HEADERS, PING

OTHER_KEY = "oThErKeY0123456789abcdefghijklmn"
HERE = {"sec-fetch-site": "same-origin"}
CHAT = tool_call(("mistral_chat", {"prompt": "Hi"}))


@dataclass
class Person:
    """Somebody at /manage with a key."""

    http: httpx2.AsyncClient
    key: str = KEY
    proof: str = ""
    connections: list[str] = field(default_factory=list[str])

    async def send(self, **fields: str) -> httpx2.Response:
        page = await self.http.get("/manage")
        stamp = re.findall(r'name="stamp" value="([^"]+)"', page.text)[0]
        return await self.http.post("/manage", data={"stamp": stamp} | fields, headers=HERE)

    async def paste_key(self) -> httpx2.Response:
        page = await self.send(token=self.key)
        self.proof, *_ = re.findall(r'name="proof" value="([^"]+)"', page.text) or [""]
        self.connections = re.findall(r'name="connection" value="([^"]+)"', page.text)
        return page

    async def do(self, do: str, connection: str = "", **fields: str) -> httpx2.Response:
        chosen = connection or self.connections[0]
        return await self.send(proof=self.proof, connection=chosen, do=do, **fields)


async def sign_in(http: httpx2.AsyncClient, name: str, key: str = KEY) -> dict[str, Any]:
    client = OAuthClient(http)
    await client.register(client_name=name)
    return await client.tokens(api_key=key)


async def call(http: httpx2.AsyncClient, access_token: str) -> httpx2.Response:
    headers = CHAT["headers"] | {"authorization": f"Bearer {access_token}"}
    return await http.post("/mcp", json=CHAT["json"], headers=headers)


async def make(http: httpx2.AsyncClient, **asked: Any) -> dict[str, Any]:
    return (await http.post("/connections", json={"api_key": KEY} | asked)).json()


async def test_what_a_sign_in_made_is_listed_shown_and_ended_with_its_key(http: httpx2.AsyncClient) -> None:
    person = Person(http)
    tokens = await sign_in(http, "Claude")
    assert (await call(http, tokens["access_token"])).status_code == 200

    listed = await person.paste_key()
    shown = await person.do("show")

    assert "<b>Claude</b>" in listed.text
    assert KEY not in listed.text + shown.text
    assert "mmcp_" not in shown.text
    assert "Calls: 1" in shown.text
    assert "End the access of Claude" in shown.text

    ended = await person.do("revoke")
    assert "The connection has ended" in ended.text
    assert (await call(http, tokens["access_token"])).status_code == 401


async def test_one_client_is_ended_and_the_connection_stays(http: httpx2.AsyncClient) -> None:
    person = Person(http)
    tokens = await sign_in(http, "Claude")
    await person.paste_key()
    grant = re.findall(r'name="grant" value="([^"]+)"', (await person.do("show")).text)[0]

    page = await person.do("end_grant", grant=grant)

    assert "access has ended" in page.text
    assert (await call(http, tokens["access_token"])).status_code == 401
    await person.paste_key()
    assert len(person.connections) == 1


async def test_budgets_and_label_are_set_and_hold_the_client(http: httpx2.AsyncClient) -> None:
    person = Person(http)
    tokens = await sign_in(http, "Claude")
    await person.paste_key()

    page = await person.do("change", label="At work", budget_usd="2,50", budget_calls_per_day="0")

    assert "At work" in page.text
    assert 'value="2.5"' in page.text
    refused = await call(http, tokens["access_token"])
    assert "budget" in refused.text


async def test_a_key_changes_neither_key_nor_tools_nor_address(http: httpx2.AsyncClient) -> None:
    person = Person(http)
    made = await make(http, toolsets=["core"])
    token = {"authorization": f"Bearer {made['token']}"}
    before = (await http.get("/connections/current", headers=token)).json()
    await person.paste_key()

    await person.do(
        "change", label="", api_key=OTHER_KEY, preset="own", toolsets="files", expires_in_days="30", read_only="on"
    )
    for do in ("rotate", "try"):
        assert "mmcp_" not in (await person.do(do)).text

    assert (await http.get("/connections/current", headers=token)).json() == before


async def test_an_address_that_was_lost_is_ended_with_its_key(http: httpx2.AsyncClient) -> None:
    person = Person(http)
    lost, kept = await make(http, label="lost"), await make(http, label="kept")
    listed = await person.paste_key()
    assert listed.text.index("kept") < listed.text.index("lost")

    await person.do("revoke", lost["id"])

    statuses = [(await http.post(made["url"], json=PING, headers=HEADERS)).status_code for made in (lost, kept)]
    assert statuses == [410, 200]
    again = await person.send(proof=person.proof)
    assert "kept" in again.text
    assert "lost" not in again.text


async def test_another_key_reaches_nothing(http: httpx2.AsyncClient) -> None:
    mine, theirs = Person(http, OTHER_KEY), await make(http, label="theirs")
    assert (await mine.paste_key()).status_code == 404
    await make(http, api_key=OTHER_KEY)
    assert "theirs" not in (await mine.paste_key()).text

    for do in ("show", "change", "revoke", "end_grant"):
        answer = await mine.do(do, theirs["id"], label="mine now")
        assert answer.status_code == 404
        assert "No connection here was made with this key" in answer.text
    assert (await http.post(theirs["url"], json=PING, headers=HEADERS)).status_code == 200


async def test_a_changed_key_takes_over(http: httpx2.AsyncClient) -> None:
    old, new = Person(http), Person(http, OTHER_KEY)
    made = await make(http)
    await old.paste_key()
    headers = {"authorization": f"Bearer {made['token']}"}
    await http.patch("/connections/current", json={"api_key": OTHER_KEY}, headers=headers)

    assert (await old.do("revoke")).status_code == 404
    await new.paste_key()
    assert new.connections == [made["id"]]


@pytest.mark.parametrize("text", ["", "x", "two words", "sk-" + "a" * 40, "${MISTRAL_API_KEY}"])
async def test_what_is_neither_address_nor_key_is_said_so(http: httpx2.AsyncClient, text: str) -> None:
    answer = await Person(http).send(token=text)

    assert answer.status_code == 422
    assert "no Mistral key" in answer.text


async def test_keys_are_not_guessed_for_long(http: httpx2.AsyncClient) -> None:
    statuses = {(await Person(http).send(token=f"{number:032}")).status_code for number in range(25)}

    assert statuses == {404, 429}


async def test_a_proof_of_another_making_or_of_long_ago_is_none(http: httpx2.AsyncClient) -> None:
    person = Person(http)
    await make(http)
    await person.paste_key()
    stamp = re.findall(r'name="stamp" value="([^"]+)"', (await http.get("/manage")).text)[0]

    for proof in ("x", stamp, person.proof[:-1], person.proof.swapcase()):
        person.proof = proof
        assert (await person.do("revoke")).status_code == 422

    times = [0.0]
    proofs = KeyProofs([b"k" * 32], lambda: times[0])
    proof = proofs.issue([b"a" * 16, b"b" * 16])
    assert proofs.verify(proof) == [b"a" * 16, b"b" * 16]
    times[0] = LIFETIME + 1.0
    with pytest.raises(StaleForm):
        proofs.verify(proof)
