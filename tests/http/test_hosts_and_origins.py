"""The accepted hosts, and the sites whose pages may call."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.errors import BadSetting
from mistral_mcp.http.app import create_app
from tests.conftest import KEY, serving
from tests.http.conftest import HEADERS, PING, ask


@pytest.mark.parametrize("host", ["127.0.0.1:x@evil.example", "localhost:1.evil.example"])
async def test_a_port_is_a_number(http: httpx2.AsyncClient, host: str) -> None:
    assert (
        await http.post("/mcp", headers={**HEADERS, "X-API-Key": KEY, "Host": host}, json=PING)
    ).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Host": "localhost:1234"}, 200),
    ],
)
async def test_other_hosts_and_other_sites_pages_are_refused(
    http: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await ask(http, {"X-API-Key": KEY, **headers})).status_code == status


async def test_health_is_reported_under_any_host(http: httpx2.AsyncClient) -> None:
    response = await http.get("/healthz", headers={"Host": "10.0.0.7"})

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_a_server_reachable_from_beyond_loopback_must_know_its_names() -> None:
    with pytest.raises(BadSetting, match="PUBLIC_URL nor ALLOWED_HOSTS"):
        create_app(Settings(host="0.0.0.0"))  # noqa: S104
    create_app(Settings(host="0.0.0.0", public_url="https://mcp.example.com"))  # noqa: S104


PUBLIC = {
    "public_url": "https://mcp.example.com",
    "allowed_hosts": "mcp-service,10.32.212.101,other:9000,[fd00::1]",
}


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        ("mcp.example.com", True),
        ("mcp.example.com:443", True),
        ("MCP.example.com.", True),
        ("mcp.example.com:80", False),
        ("mcp-service", True),
        ("mcp-service:8000", True),
        ("10.32.212.101:8001", True),
        ("[FD00::1]:8000", True),
        ("other:9000", True),
        ("other:9001", False),
        ("other", False),
        ("localhost:1234", True),
        ("elsewhere.example.net", False),
        ("mcp-service.example.net", False),
        ("mcp-service:8000.example.net", False),
        ("mcp.example.com.example.net:443", False),
        ("mcp-service:x", False),
        ("user@mcp-service", False),
        ("10.32.212.102:8001", False),
        ("http://localhost", False),
    ],
)
async def test_a_host_is_compared_by_its_parts(host: str, *, admitted: bool) -> None:
    app = create_app(Settings.model_validate(PUBLIC))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        response = await http.get("/nothing", headers={"Host": host})
    assert response.status_code == (404 if admitted else 421)


def test_a_host_that_is_none_stops_the_start() -> None:
    with pytest.raises(BadSetting, match="ALLOWED_HOSTS"):
        create_app(Settings.model_validate({"allowed_hosts": "a b"}))


LISTED, LOCAL, OTHER = "https://playground.example.org", "http://localhost:6274", "https://elsewhere.example.net"


@pytest.fixture
async def http_with_origins(mistral_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(Settings.model_validate({"route": mistral_url, "allowed_origins": LISTED}))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        yield http


async def preflight(http: httpx2.AsyncClient, origin: str, asked: str, path: str = "/mcp") -> httpx2.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    return await http.options(path, headers=headers)


@pytest.mark.parametrize("origin", [LISTED, LISTED + ":443", LOCAL])
@pytest.mark.parametrize("path", ["/mcp", "/c/mmcp_x/mcp", "/connections"])
async def test_a_listed_origin_s_preflight_is_answered(
    http_with_origins: httpx2.AsyncClient, origin: str, path: str
) -> None:
    response = await preflight(http_with_origins, origin, "authorization,x-mistral-api-key,mcp-param-model", path)

    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == origin
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "mcp-param-model" in response.headers["access-control-allow-headers"]
    assert "Origin" in response.headers["vary"]


async def test_what_a_preflight_asks_for_is_not_repeated_where_it_is_no_list_of_names(
    http_with_origins: httpx2.AsyncClient,
) -> None:
    response = await preflight(http_with_origins, LISTED, 'x-api-key, "><script>')
    assert "script" not in response.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"X-API-Key": KEY}, 200), ({}, 401), ({"X-API-Key": KEY, "Host": "evil.example"}, 421)],
)
async def test_every_answer_to_a_listed_origin_can_be_read_by_its_pages(
    http_with_origins: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    response = await ask(http_with_origins, {"Origin": LISTED, **headers})

    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == LISTED
    assert "WWW-Authenticate" in response.headers["access-control-expose-headers"]


async def test_other_origins_get_nothing(http_with_origins: httpx2.AsyncClient) -> None:
    for response in (
        await preflight(http_with_origins, OTHER, "x-api-key"),
        await ask(http_with_origins, {"X-API-Key": KEY, "Origin": OTHER}),
        await ask(http_with_origins, {"X-API-Key": KEY, "Origin": LISTED + ":8443"}),
        await ask(http_with_origins, {"X-API-Key": KEY, "Origin": LISTED.replace("https", "http")}),
    ):
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers


async def test_the_server_s_own_pages_may_call_under_every_name_it_answers_to() -> None:
    app = create_app(Settings.model_validate({"allowed_hosts": "box.lan"}))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        own = {"Host": "box.lan:8000", "Origin": "http://box.lan:8000"}
        assert (await http.get("/nothing", headers=own)).status_code == 404
        assert (await http.get("/nothing", headers={**own, "Origin": "http://box.lan"})).status_code == 403
