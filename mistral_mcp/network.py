"""This machine's network: its proxies, the hosts that need none, and its certificates.

`cli` reads them from the environment, as curl, requests and httpx do; all other code is passed this value.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mistral_mcp.errors import BadSetting

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Network:
    """How connections to other machines are made. Without arguments: directly, with the system's certificates."""

    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    all_proxy: str = field(default="", repr=False)
    no_proxy: tuple[str, ...] = ()
    """Names, suffixes, addresses, networks, each with a port or without; or `*`."""
    bypass: Callable[[str], object] | None = None
    """Whether the operating system itself bypasses its proxies for a host."""
    ca_file: str = ""
    """Certificate bundle to trust instead of the system's."""

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], proxies: Mapping[str, str], bypass: Callable[[str], object] | None = None
    ) -> "Network":
        """`proxies` as `urllib.request.getproxies` gives them: by scheme, with the bypassed hosts as `no`."""
        return cls(
            http_proxy=proxies.get("http", "").strip(),
            https_proxy=proxies.get("https", "").strip(),
            all_proxy=proxies.get("all", "").strip(),
            no_proxy=tuple(proxies.get("no", "").replace(",", " ").lower().split()),
            bypass=bypass,
            ca_file=environ.get("SSL_CERT_FILE", ""),
        )

    def proxy_for(self, scheme: str, host: str, port: int | None) -> str | None:
        """The proxy's URL for a host; None: connect directly. Raises `BadSetting` for a proxy that cannot be used."""
        variable, proxy = self._proxy(scheme)
        if not proxy:
            return None
        host = host.lower().strip("[]").rstrip(".")
        if is_loopback(host) or self._is_excepted(host, port or _default_port(scheme)):
            return None
        return _usable(proxy, variable)

    def _proxy(self, scheme: str) -> tuple[str, str]:
        if scheme == "https":
            own = self.https_proxy
        else:
            own = self.http_proxy
        if own:
            return (f"{scheme.upper()}_PROXY", own)
        return ("ALL_PROXY", self.all_proxy)

    def _is_excepted(self, host: str, port: int) -> bool:
        if any(_matches(entry, host, port) for entry in self.no_proxy):
            return True
        return self.bypass is not None and bool(self.bypass(host))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, which no proxy could reach."""
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY matches this host."""
    if entry == "*":
        return True
    name, entry_port = _split_port(entry.rpartition("://")[2])
    if entry_port is not None and entry_port != port:
        return False
    address = _address(host)
    if address is not None:
        return _contains(name, address)
    name = name.removeprefix("*").removeprefix(".").rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _contains(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    """`[::1]:443` → ("::1", 443), `fe80::/10` → ("fe80::/10", None)."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        return name, _number(port.removeprefix(":"))
    name, _, port = entry.rpartition(":")
    if not name or ":" in name:
        return (entry, None)
    return (name, _number(port))


def _number(text: str) -> int | None:
    if text.isdecimal():
        return int(text)
    return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _default_port(scheme: str) -> int:
    if scheme == "https":
        return 443
    return 80


def _usable(proxy: str, variable: str) -> str:
    """The proxy's URL with a supported scheme. Error messages leave the URL out: it may hold a password."""
    if "://" in proxy:
        url = proxy
    else:
        url = f"http://{proxy}"
    if url.startswith("socks://"):  # as some desktops write it
        url = url.replace("socks", "socks5", 1)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadSetting(
            f"The proxy in {variable} cannot be used: it must be http://, https:// or socks5://host:port.",
            f"Correct {variable}, or unset it.",
        )
    return url
