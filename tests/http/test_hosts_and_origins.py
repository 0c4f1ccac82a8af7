"""Which hosts are answered, and which sites' pages may call."""

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.errors import BadSetting
from mistral_mcp.http.app import create_app
from tests.conftest import KEY
from tests.http.conftest import HEADERS, PING, ask


@pytest.mark.parametrize("host", ["127.0.0.1:x@evil.example", "localhost:1.evil.example"])
async def test_a_port_is_a_number(http: httpx2.AsyncClient, host: str) -> None:
    assert (await http.post("/mcp", headers={**HEADERS, "X-API-Key": KEY, "Host": host}, json=PING)).status_code == 421


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


async def test_health_is_told_under_any_host(http: httpx2.AsyncClient) -> None:
    response = await http.get("/healthz", headers={"Host": "10.0.0.7"})

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_a_server_reachable_from_beyond_loopback_must_know_its_names() -> None:
    with pytest.raises(BadSetting, match="PUBLIC_URL nor ALLOWED_HOSTS"):
        create_app(Settings(host="0.0.0.0"))  # noqa: S104
    create_app(Settings(host="0.0.0.0", public_url="https://mcp.example.com"))  # noqa: S104
