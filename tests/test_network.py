"""Which hosts are reached through a proxy, as the environment says."""

import pytest

from mistral_mcp.errors import BadSetting
from mistral_mcp.network import Network

PROXY = "http://proxy.example:3128"


def network(**proxies: str) -> Network:
    return Network.from_environment({}, proxies)


@pytest.mark.parametrize(
    ("exceptions", "host", "port", "direct"),
    [
        ("", "api.mistral.ai", None, False),
        ("*", "api.mistral.ai", None, True),
        ("api.mistral.ai", "api.mistral.ai", None, True),
        ("API.Mistral.AI", "api.mistral.ai", None, True),
        ("mistral.ai", "api.mistral.ai", None, True),
        (".mistral.ai", "api.mistral.ai", None, True),
        ("*.mistral.ai", "api.mistral.ai", None, True),
        (".mistral.ai", "mistral.ai", None, True),
        ("mistral.ai", "notmistral.ai", None, False),
        ("example.com,api.mistral.ai", "api.mistral.ai", None, True),
        ("localhost api.mistral.ai", "api.mistral.ai", None, True),
        ("api.mistral.ai:443", "api.mistral.ai", None, True),
        ("api.mistral.ai:443", "api.mistral.ai", 443, True),
        ("api.mistral.ai:8443", "api.mistral.ai", None, False),
        ("api.mistral.ai:8443", "api.mistral.ai", 8443, True),
        ("https://api.mistral.ai", "api.mistral.ai", None, True),
        ("10.0.0.0/8", "10.1.2.3", None, True),
        ("10.0.0.0/8", "11.1.2.3", None, False),
        ("10.1.2.3", "10.1.2.3", None, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("fd00::/8", "[fd00::1]", None, True),
        ("[fd00::1]:443", "fd00::1", 443, True),
        ("fd00::1", "fd00::2", None, False),
        ("nonsense/8", "10.1.2.3", None, False),
        (" , ,", "api.mistral.ai", None, False),
        ("api.mistral.ai", "api.mistral.ai.", None, True),
    ],
)
def test_no_proxy_names_hosts_suffixes_networks_and_ports(
    exceptions: str, host: str, port: int | None, *, direct: bool
):
    proxy = network(https=PROXY, no=exceptions).proxy_for("https", host, port)

    assert proxy == (None if direct else PROXY)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]", "sandbox.localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_never_goes_through_a_proxy(host: str, scheme: str):
    assert network(http=PROXY, https=PROXY, all=PROXY).proxy_for(scheme, host, 8000) is None


@pytest.mark.parametrize(
    ("proxies", "scheme", "proxy"),
    [
        ({}, "https", None),
        ({"http": PROXY}, "https", None),
        ({"http": PROXY}, "http", PROXY),
        ({"all": PROXY}, "https", PROXY),
        ({"all": "socks5://other:1", "https": PROXY}, "https", PROXY),
        ({"all": "socks5://other:1"}, "http", "socks5://other:1"),
        ({"all": "socks5h://other:1"}, "http", "socks5h://other:1"),
        ({"all": "socks://other:1/"}, "http", "socks5://other:1/"),
        ({"https": "proxy.example:3128"}, "https", PROXY),
        ({"https": "user:secret@proxy.example:3128"}, "https", "http://user:secret@proxy.example:3128"),
    ],
)
def test_the_proxy_of_the_scheme_comes_before_the_one_for_all(
    proxies: dict[str, str], scheme: str, proxy: str | None
):
    assert network(**proxies).proxy_for(scheme, "api.mistral.ai", None) == proxy


@pytest.mark.parametrize("value", ["socks4://p:1", "ftp://p", "http://", "http://p:99999", "http://p:0", "//"])
def test_a_proxy_that_cannot_be_used_is_said_with_its_variable_and_without_its_value(value: str):
    secret = value.replace("://", "://user:secret@")
    with pytest.raises(BadSetting) as refused:
        network(all=secret).proxy_for("https", "api.mistral.ai", None)

    assert "ALL_PROXY" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert network(all=secret).proxy_for("https", "127.0.0.1", None) is None


def test_what_the_operating_system_excepts_is_reached_directly():
    systems = Network.from_environment({}, {"https": PROXY}, lambda host: host == "intranet")

    assert systems.proxy_for("https", "intranet", None) is None
    assert systems.proxy_for("https", "api.mistral.ai", None) == PROXY
    assert PROXY not in repr(systems)
