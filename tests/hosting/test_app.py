"""The hosted app over real sockets: endpoints, calls, rejected requests, what the operator sees."""

import logging
import re
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app, prepare
from mistral_mcp.hosting.commands import create_connection
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, connect_to, serving, text_of
from tests.http.conftest import HEADERS, PING

OTHER_KEY = "oThErKeY0123456789abcdefghijklmn"


async def post_connection(http: httpx2.AsyncClient, **asked: Any) -> dict[str, Any]:
    response = await http.post("/connections", json={"api_key": KEY, **asked})
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_a_key_becomes_one_url_that_calls_with_it(
    http: httpx2.AsyncClient, sandbox: Sandbox, mode: str
) -> None:
    made = await post_connection(http, label="my phone")

    assert made["url"].endswith(f"/c/{made['token']}/mcp")
    assert made["expires_at"] is None
    async with connect_to(made["url"], {}, mode) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})
    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].key == KEY


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_the_token_works_as_a_header_too(http: httpx2.AsyncClient, base: str, header: str) -> None:
    token = (await post_connection(http))["token"]
    value = f"Bearer {token}" if header == "Authorization" else token

    async with connect_to(f"{base}/mcp", {header: value}) as client:
        assert not (await client.call_tool("mistral_chat", {"prompt": "Hi"})).is_error


async def test_a_connection_is_bound_to_its_toolsets(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http, toolsets=["models"], read_only=True)

    async with connect_to(f"{made['url']}?toolsets=core,models", {}) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "mistral_list_models",
            "mistral_get_model",
        }


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"api_key": "invalid-0123456789abcdef"}, 422, "refused the key"),
        ({"api_key": "sk-0123456789abcdefghij"}, 422, "another service's"),
        ({}, 422, "api_key is missing"),
        ({"api_key": KEY, "toolsets": ["cores"]}, 422, "toolsets: it must name some of core"),
        ({"api_key": KEY, "toolsets": []}, 422, "toolsets: it must name some of core"),
        ({"api_key": KEY, "route": "https://evil.example"}, 422, "route: it must be direct"),
        (
            {"api_key": KEY, "route": {"kind": "base", "base": "https://evil.example"}},
            422,
            "route: it must be direct",
        ),
        (
            {"api_key": KEY, "route": {"kind": "cloudflare", "account": "../..", "gateway": "x"}},
            422,
            "route: it must be",
        ),
        ({"api_key": "mmcp_0123456789abcdef"}, 422, "holds a connection's token"),
        ({"api_key": KEY, "route_token": "x"}, 422, "route_token needs a route"),
        ({"api_key": KEY, "expires_in_days": 0}, 422, "expires_in_days"),
        ({"api_key": KEY, "colour": "red"}, 422, "colour"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_not_echoed(
    http: httpx2.AsyncClient, sandbox: Sandbox, asked: dict[str, Any], status: int, words: str
) -> None:
    response = await http.post("/connections", json=asked)

    assert len(sandbox.requests) == (words == "refused the key")  # else nothing went out
    assert response.status_code == status
    assert words in response.json()["error"]["message"]
    assert not any(str(value) in response.text for name, value in asked.items() if name == "api_key")
    assert response.headers["cache-control"] == "no-store"


async def test_a_key_is_not_kept_while_mistral_cannot_be_asked(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503, times=None))
    response = await http.post("/connections", json={"api_key": KEY})

    assert response.status_code == 503
    assert "retry-after" in response.headers


async def test_rotating_ends_the_old_token_at_once(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http)
    headers = {"Authorization": f"Bearer {made['token']}"}
    rotated = (await http.post("/connections/current/rotate", headers=headers)).json()

    assert rotated["id"] == made["id"]
    assert rotated["token"] != made["token"]
    assert (await http.post(made["url"], json=PING, headers=HEADERS)).status_code == 410
    assert (await http.post(rotated["url"], json=PING, headers=HEADERS)).status_code == 200


async def test_revoking_ends_a_connection_with_a_message_a_client_can_show(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http)
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await http.get("/connections/current", headers=headers)).json()["id"] == made["id"]
    assert (await http.delete("/connections/current", headers=headers)).json() == {
        "id": made["id"],
        "revoked": True,
    }

    response = await http.post(made["url"], json=PING, headers=HEADERS)
    assert response.status_code == 410
    assert response.json()["error"]["message"]
    assert (await http.get("/connections/current", headers=headers)).status_code == 401


async def test_a_connection_is_changed_under_the_same_url(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    made = await post_connection(http, label="old", toolsets=["models"])
    headers = {"X-API-Key": made["token"]}
    changes = {"label": "new", "toolsets": ["core"], "read_only": True, "expires_in_days": 7, "api_key": OTHER_KEY}
    answer = await http.patch("/connections/current", json=changes, headers=headers)
    changed = answer.json()

    assert answer.status_code == 200
    assert (changed["id"], changed["label"], changed["toolsets"]) == (made["id"], "new", ["core"])
    assert (changed["read_only"], changed["key_hint"]) == (True, OTHER_KEY[-4:])
    assert changed["expires_at"] is not None
    async with connect_to(made["url"], {}) as client:
        assert not (await client.call_tool("mistral_chat", {"prompt": "Hi"})).is_error
    assert sandbox.requests[-1].key == OTHER_KEY
    again = await http.patch(
        "/connections/current", json={"expires_in_days": None, "toolsets": None}, headers=headers
    )
    assert (again.json()["expires_at"], again.json()["toolsets"], again.json()["label"]) == (None, None, "new")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_key": "invalid-0123456789abcdef"}, "refused the key"),
        ({"api_key": "sk-0123456789abcdefghij"}, "another service's"),
        ({"label": "two\nlines"}, "label"),
        ({"toolsets": []}, "toolsets"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"route": "eu"}, "route"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_change_that_cannot_be_made_changes_nothing(
    http: httpx2.AsyncClient, changes: dict[str, Any], words: str
) -> None:
    made = await post_connection(http)
    headers = {"X-API-Key": made["token"]}
    before = (await http.get("/connections/current", headers=headers)).json()
    response = await http.patch("/connections/current", json={"label": "x", **changes}, headers=headers)

    assert response.status_code == 422
    assert words in response.json()["error"]["message"]
    after = (await http.get("/connections/current", headers=headers)).json()
    assert {**after, "last_used_at": None} == {**before, "last_used_at": None}


async def test_the_operators_route_is_not_for_tenants(http: httpx2.AsyncClient, mistral_url: str) -> None:
    made = await post_connection(http)
    current = await http.get("/connections/current", headers={"X-API-Key": made["token"]})

    assert made["route"] is None
    assert mistral_url not in current.text


async def test_an_unknown_token_is_404_on_its_url_and_401_in_a_header(http: httpx2.AsyncClient, base: str) -> None:
    made = await post_connection(http)
    mistyped = made["token"][:-1] + ("a" if made["token"][-1] != "a" else "b")

    by_url = await http.post(f"/c/{mistyped}/mcp", json=PING, headers=HEADERS)
    by_header = await http.post("/mcp", json=PING, headers={**HEADERS, "X-API-Key": mistyped})
    assert (by_url.status_code, by_header.status_code) == (404, 401)
    assert "www-authenticate" not in by_url.headers
    assert by_url.json()["jsonrpc"] == "2.0"


async def test_a_header_beside_a_secret_url_is_refused_unless_it_is_the_same(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http)
    for value, status in ((made["token"], 200), (OTHER_KEY, 400)):
        response = await http.post(made["url"], json=PING, headers={**HEADERS, "X-API-Key": value})
        assert response.status_code == status


async def test_failures_are_rate_limited_per_address_and_valid_tokens_never(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http)
    statuses = [(await http.post("/c/mmcp_wrong/mcp", json=PING, headers=HEADERS)).status_code for _ in range(25)]
    refused = await http.post("/c/mmcp_wrong/mcp", json=PING, headers=HEADERS)

    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert int(refused.headers["retry-after"]) > 0
    assert (await http.post(made["url"], json=PING, headers=HEADERS)).status_code == 200


@pytest.mark.parametrize(
    ("signup", "code", "status"),
    [("off", None, 403), ("code", None, 403), ("code", "no", 403), ("code", "yes", 201)],
)
async def test_who_may_sign_up_is_the_operators_choice(
    hosting: dict[str, Any], signup: str, code: str | None, status: int
) -> None:
    settings = Settings.model_validate(
        {**hosting, "signup": signup, **({"signup_code": "yes"} if signup == "code" else {})}
    )
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        asked = {"api_key": KEY} | ({"signup_code": code} if code else {})
        assert (await http.post("/connections", json=asked)).status_code == status


async def test_without_a_key_the_operators_own_route_is_not_asked(hosting: dict[str, Any]) -> None:
    sent: list[httpx2.Request] = []

    class Noting(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            sent.append(request)
            return httpx2.Response(200, json={"object": "list", "data": []})

    settings = Settings.model_validate(
        {**hosting, "route": "cloudflare://acc0unt/gateway", "route_token": "op3rators"}
    )
    async with serving(create_app(settings, Noting())) as base, httpx2.AsyncClient(base_url=base) as http:
        refused = await http.post("/connections", json={"label": "x"})
    assert (refused.status_code, sent) == (422, [])
    assert "api_key is missing" in refused.text


@pytest.mark.parametrize(
    ("allowed", "keys", "tokens"),
    [
        ({}, "key as X-Mistral-Api-Key or X-API-Key, or", "Or sign in"),
        (
            {"oauth": False},
            "key as X-Mistral-Api-Key, X-API-Key or Authorization: Bearer, or",
            "a connection's token as",
        ),
        ({"byok": False}, "Send a connection's token as X-API-Key or Authorization: Bearer.", "Or sign in"),
    ],
)
async def test_a_request_without_a_credential_is_told_the_ways_that_are_open(
    hosting: dict[str, Any], allowed: dict[str, Any], keys: str, tokens: str
) -> None:
    app = create_app(Settings.model_validate(hosting | allowed))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        answer = await client.post("/mcp", json=PING)
        managed = await client.get("/connections/current")
        probed = await client.get("/authorize")

    assert "/mcp" in probed.text
    said = answer.json()["error"]["message"]
    assert keys in said
    assert tokens in said
    assert "Send the connection's token as Authorization: Bearer." in managed.text


@pytest.mark.parametrize("path", ["/mcp/", "/c/{token}/mcp/"])
async def test_a_slash_too_many_sends_nobody_elsewhere(http: httpx2.AsyncClient, path: str) -> None:
    made = await post_connection(http)
    headers = HEADERS if "token" in path else {**HEADERS, "X-API-Key": KEY}
    assert (await http.post(path.format(token=made["token"]), json=PING, headers=headers)).status_code == 200
    assert (await http.get("/manage/")).status_code == 404


async def test_a_browser_is_told_to_paste_the_secret_url(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http)
    response = await http.get(made["url"], headers={"accept": "text/html"})
    used = (await http.get("/connections/current", headers={"X-API-Key": made["token"]})).json()["last_used_at"]

    assert response.status_code == 200
    assert "paste it into your MCP client" in response.text
    assert response.headers["referrer-policy"] == "no-referrer"
    assert used is None


async def test_readiness_and_metrics(http: httpx2.AsyncClient) -> None:
    made = await post_connection(http)
    await http.post(made["url"], json=PING, headers=HEADERS)

    assert (await http.get("/readyz", headers={"Host": "10.1.2.3"})).json() == {"status": "ready"}
    metrics = (await http.get("/metrics")).text
    assert 'mistral_mcp_http_requests_total{method="POST",route="/c/{token}/mcp",status="200"} 1.0' in metrics
    assert made["token"] not in metrics


async def test_metrics_are_for_loopback_and_for_whoever_has_the_token(hosting: dict[str, Any]) -> None:
    app = create_app(Settings.model_validate({**hosting, "metrics_token": "the-token"}))
    proxied = {"X-Forwarded-For": "203.0.113.7"}  # by a proxy on this machine, for somebody else
    bearer = {"Authorization": "Bearer the-token"}
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as http:
        statuses = [
            (await http.get("/metrics", headers=headers)).status_code
            for headers in (
                {},
                proxied,
                bearer,
                {**proxied, **bearer},
                {**proxied, "Authorization": "Bearer other"},
            )
        ]

    assert statuses == [200, 401, 200, 200, 401]


@pytest.mark.parametrize(
    ("header", "address", "status"),
    [
        ("", "192.0.2.1", 401),
        ("Bearer wrong", "192.0.2.1", 401),
        ("Bearer m3trics", "192.0.2.1", 200),
        ("bearer m3trics", "192.0.2.1", 200),
        ("Basic m3trics", "192.0.2.1", 401),
    ],
)
async def test_metrics_are_for_loopback_or_with_the_token(
    hosting: dict[str, Any], header: str, address: str, status: int
) -> None:
    settings = Settings.model_validate(hosting | {"metrics_token": "m3trics", "trusted_proxies": "127.0.0.1"})
    headers = {"X-Forwarded-For": address} | ({"Authorization": header} if header else {})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        assert (await http.get("/metrics", headers=headers)).status_code == status


async def test_privacy_terms_and_support_are_the_operators_else_privacy_is_ours(hosting: dict[str, Any]) -> None:
    theirs = {"privacy_url": "https://example.org/privacy", "support_url": "mailto:help@example.org"}
    settings = Settings.model_validate(hosting | theirs)
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        answers = {path: await http.get(path) for path in ("/privacy", "/terms", "/support")}
    async with (
        serving(create_app(Settings.model_validate(hosting))) as base,
        httpx2.AsyncClient(base_url=base) as http,
    ):
        ours = await http.get("/privacy")

    assert answers["/privacy"].headers["location"] == "https://example.org/privacy"
    assert answers["/support"].headers["location"] == "mailto:help@example.org"
    assert answers["/terms"].status_code == 404
    assert "30 days" in ours.text
    assert "400 days" in ours.text


async def test_a_reviewer_s_connection_calls_the_sandbox_and_shows_no_address(
    hosting: dict[str, Any], sandbox: Sandbox, mistral_url: str
) -> None:
    settings = Settings.model_validate(hosting | {"route": "http://127.0.0.1:9"})
    made = await create_connection(
        settings,
        SecretStr(KEY),
        label="reviewer",
        toolsets=["core", "documents"],
        read_only=False,
        expires_in_days=90,
        route=mistral_url,
    )
    token = re.findall(r"/c/(mmcp_\w+)/mcp", made)[0]
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        async with connect_to(f"{base}/c/{token}/mcp", {}) as client:
            result = await client.call_tool("mistral_chat", {"prompt": "Hi"})
        shown = await http.get("/connections/current", headers={"Authorization": f"Bearer {token}"})

    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].key == KEY
    assert shown.json()["route"] is None


async def test_the_portal_s_challenge_is_answered_with_the_token_alone(hosting: dict[str, Any]) -> None:
    path = "/.well-known/openai-apps-challenge"
    settings = Settings.model_validate(hosting | {"apps_challenge": "t0ken-of_the.portal"})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        response = await http.get(path)
    async with (
        serving(create_app(Settings.model_validate(hosting))) as base,
        httpx2.AsyncClient(base_url=base) as http,
    ):
        without = await http.get(path)

    assert response.content == b"t0ken-of_the.portal"
    assert response.headers["content-type"].startswith("text/plain")
    assert without.status_code == 404


async def test_browser_clients_on_this_machine_are_let_read_the_sign_in_s_metadata_once(
    http: httpx2.AsyncClient,
) -> None:
    headers = {"Origin": "http://localhost:6274"}
    response = await http.get("/.well-known/oauth-authorization-server", headers=headers)

    assert response.headers.get_list("access-control-allow-origin") == ["http://localhost:6274"]


async def test_a_card_of_a_server_with_sign_in_asks_for_no_key(http: httpx2.AsyncClient) -> None:
    [remote] = (await http.get("/mcp/server-card")).json()["remotes"]

    assert not any(header["isRequired"] for header in remote["headers"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "0.0.0.0", "allowed_hosts": "mcp.example"}, "sent unencrypted"),  # noqa: S104
        ({"allowed_hosts": "*"}, "whatever Host"),
        ({"signup": "code", "signup_code": "short"}, "short enough to be guessed"),
    ],
)
async def test_a_start_warns_of_what_weakens_the_safety_of_keys(
    hosting: dict[str, Any], settings: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    await prepare(Settings.model_validate(hosting | settings))

    assert words in caplog.text


async def test_a_vault_whose_file_was_deleted_is_not_ready(
    http: httpx2.AsyncClient, hosting: dict[str, Any]
) -> None:
    (hosting["data_dir"] / "vault.db").unlink()
    response = await http.get("/readyz")
    assert response.status_code == 503
    assert "file was deleted" in response.json()["error"]["message"]


async def test_a_crash_is_counted_as_what_the_client_got(hosting: dict[str, Any]) -> None:
    async def crash(_: Request) -> Response:
        raise ZeroDivisionError

    app = create_app(Settings.model_validate(hosting))
    app.router.routes.insert(0, Route("/crash", crash))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        assert (await http.get("/crash")).status_code == 500
        assert 'method="GET",route="/crash",status="500"' in (await http.get("/metrics")).text


async def test_no_key_and_no_token_reaches_a_log_a_metric_a_page_or_the_disk(
    hosting: dict[str, Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with (
        serving(create_app(Settings.model_validate(hosting))) as base,
        httpx2.AsyncClient(base_url=base) as http,
    ):
        made = await post_connection(http, label="canary")
        token = made["token"]
        async with connect_to(made["url"], {}) as client:
            await client.call_tool("mistral_chat", {"prompt": "Hi"})
            sandbox.faults.append(Fault(echo_key=True))
            seen.append((await client.call_tool("mistral_chat", {"prompt": "Hi"})).model_dump_json())
        probes = (
            f"/c/{token}/other",
            f"/.well-known/oauth-protected-resource/c/{token}/mcp",
            f"/c/{token}",
            "/metrics",
        )
        seen += [(await http.get(path)).text for path in probes]
        seen.append((await http.get("/connections/current", headers={"X-API-Key": token})).text)
    clients_own = ("httpx2", "mcp.client")
    seen += [record.getMessage() for record in caplog.records if not record.name.startswith(clients_own)]
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())  # noqa: ASYNC240

    for secret in (KEY, token, token.removeprefix("mmcp_")):
        assert not any(secret in text for text in seen)
        assert secret.encode() not in stored


async def test_many_connections_interleaved_each_call_with_their_own_key(
    http: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    keys = [f"kEyNumber{number:02d}0123456789abcdefghij" for number in range(20)]
    made = [await post_connection(http, api_key=key) for key in keys]
    sandbox.reset()

    async def calls(url: str, number: int) -> None:
        async with connect_to(url, {}) as client:
            for _ in range(5):
                await client.call_tool("mistral_chat", {"prompt": f"number {number:02d}"})

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for number, connection in enumerate(made):
                group.start_soon(calls, connection["url"], number)

    assert len(sandbox.requests) == 100
    for request in sandbox.requests:
        assert request.json["messages"][0]["content"][-2:] == (request.key or "")[9:11]


async def test_an_mcp_client_that_was_given_the_root_is_told_the_endpoint(
    http: httpx2.AsyncClient, base: str
) -> None:
    answer = await http.post("/", json=PING, headers=HEADERS)

    assert answer.status_code == 404
    assert f"{base}/mcp" in answer.json()["error"]["message"]
