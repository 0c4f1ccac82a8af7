"""Strangers who try keys, codes and sign-ups: rate-limited before Mistral is called, without locking others out."""

import logging
import socket
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, serving
from tests.hosting.conftest import tool_call

LIST_MODELS = ("mistral_list_models", {})


async def list_models(http: httpx2.AsyncClient, url: str = "/mcp", **headers: str) -> httpx2.Response:
    call = tool_call(LIST_MODELS)
    return await http.post(url, json=call["json"], headers=call["headers"] | headers)


@pytest.fixture
def hosting(mistral_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"route": mistral_url, "data_dir": tmp_path / "data", "trusted_proxies": "127.0.0.1"}


def key(number: int) -> str:
    return f"kEyNumber{number:04d}0123456789abcdefgh"


async def test_keys_tried_at_the_connect_page_are_refused_before_mistral_is_asked(
    http: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    statuses = [
        (await http.post("/connections", json={"api_key": f"invalid-{number:016d}"})).status_code
        for number in range(60)
    ]

    assert statuses == [422] * 20 + [429] * 40
    assert len(sandbox.requests) == 20


async def test_keys_tried_in_headers_are_refused_before_mistral_is_asked(
    http: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    made = (await http.post("/connections", json={"api_key": KEY})).json()
    sandbox.reset()
    statuses: list[int] = []
    for number in range(60):
        response = await list_models(http, **{"X-Mistral-Api-Key": f"invalid-{number:016d}"})
        statuses.append(response.status_code)

    assert statuses == [200] * 20 + [429] * 40  # a refusal by Mistral is a tool's result
    assert len(sandbox.requests) == 20
    assert (await http.post("/connections", json={"api_key": key(1)})).status_code == 429
    assert (await list_models(http, made["url"])).status_code == 200
    assert (await list_models(http, **{"X-API-Key": KEY})).status_code == 200
    assert (await list_models(http, **{"X-API-Key": key(1), "X-Forwarded-For": "192.0.2.9"})).status_code == 200


async def test_keys_tried_by_upload_links_are_refused_before_mistral_is_asked(
    http: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    call = tool_call(("mistral_request_upload", {}))
    answers = [
        await http.post(
            "/mcp?toolsets=files",
            json=call["json"],
            headers=call["headers"] | {"X-Mistral-Api-Key": f"invalid-{number:016d}"},
        )
        for number in range(60)
    ]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 40
    assert all(answer.json()["result"]["isError"] for answer in answers[:20])
    assert len(sandbox.requests) == 20


async def test_a_key_that_was_refused_is_not_asked_about_again_for_a_minute(
    http: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    answers = [(await list_models(http, **{"X-API-Key": "invalid-0123456789"})).json() for _ in range(5)]
    refused = await http.post("/connections", json={"api_key": "invalid-0123456789"})

    assert len(sandbox.requests) == 1
    assert all(answer["result"]["isError"] for answer in answers)
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("addresses", "most"),
    [
        (["192.0.2.1"] * 100, 20),
        ([f"2001:db8:1:{number:x}::1" for number in range(100)], 60),
        ([f"2001:db8:{number:x}::1" for number in range(400)], 300),
    ],
    ids=["one address", "one /48", "everywhere"],
)
async def test_guesses_of_the_sign_up_code_are_bounded_and_the_right_code_works_from_anywhere(
    hosting: dict[str, Any], sandbox: Sandbox, addresses: list[str], most: int
) -> None:
    settings = Settings.model_validate(hosting | {"signup": "code", "signup_code": "the right one"})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        statuses: list[int] = []
        for address in addresses:
            asked = {"api_key": KEY, "signup_code": "wrong"}
            response = await http.post("/connections", json=asked, headers={"X-Forwarded-For": address})
            statuses.append(response.status_code)
        assert not sandbox.requests
        asked = {"api_key": KEY, "signup_code": "the right one"}
        right = await http.post("/connections", json=asked, headers={"X-Forwarded-For": addresses[0]})

    assert most <= statuses.count(403) <= 1.1 * most  # time passes, and forgives
    assert set(statuses) == {403, 429}
    assert right.status_code == 201


async def test_an_address_makes_so_many_connections_an_hour(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    statuses = [
        (await http.post("/connections", json={"api_key": key(number)})).status_code for number in range(35)
    ]
    elsewhere = {"X-Forwarded-For": "192.0.2.9"}

    assert statuses == [201] * 30 + [429] * 5
    assert len(sandbox.requests) == 30
    response = await http.post("/connections", json={"api_key": KEY}, headers=elsewhere)
    assert response.status_code == 201


async def test_a_key_has_so_many_connections_at_once(hosting: dict[str, Any]) -> None:
    settings = Settings.model_validate(hosting | {"max_connections_per_key": 3})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        made = [(await http.post("/connections", json={"api_key": KEY})) for _ in range(4)]
        assert [response.status_code for response in made] == [201, 201, 201, 422]
        assert "has 3 connections here already" in made[3].json()["error"]["message"]
        assert (await http.post("/connections", json={"api_key": key(1)})).status_code == 201

        await http.delete("/connections/current", headers={"X-API-Key": made[0].json()["token"]})
        assert (await http.post("/connections", json={"api_key": KEY})).status_code == 201


@pytest.mark.parametrize(
    ("asked", "status"), [({}, 201), ({"expires_in_days": 7}, 201), ({"expires_in_days": 8}, 422)]
)
async def test_the_operator_bounds_how_long_connections_live(
    hosting: dict[str, Any], asked: dict[str, Any], status: int
) -> None:
    settings = Settings.model_validate(hosting | {"max_expiry_days": 7})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        response = await http.post("/connections", json={"api_key": KEY, **asked})

    assert response.status_code == status
    assert ("at most 7 days" in response.text) == (status == 422)
    assert status == 422 or response.json()["expires_at"]


async def test_invented_methods_leave_nothing_behind(
    http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(20):
        for host in ({}, {"Host": "elsewhere.example"}):
            await http.request(f"INVENTED{number}", "/", headers=host)
    metrics = (await http.get("/metrics")).text

    assert "INVENTED" not in metrics
    assert 'method="other"' in metrics
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("mistral_mcp")]
    assert not any("INVENTED" in message for message in ours)


async def test_a_client_that_disconnects_during_an_upload_is_no_error_of_the_servers(
    http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/connections", "/"):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{http.base_url.port}\r\nX-Mistral-Api-Key: {KEY}\r\n"
        kind = "application/x-www-form-urlencoded" if path == "/" else "application/json"
        head += f"Content-Type: {kind}\r\nAccept: application/json, text/event-stream\r\nContent-Length: 1000\r\n\r\n{{"
        await anyio.to_thread.run_sync(send_and_hang_up, http.base_url.port, head.encode())
    with anyio.fail_after(5):
        while (await http.get("/metrics")).text.count('status="499"') < 2:  # noqa: ASYNC110 - the server notices when it does
            await anyio.sleep(0.05)

    assert 'status="500"' not in (await http.get("/metrics")).text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def send_and_hang_up(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(data)
