"""The innermost transport: real connections, through this machine's proxy where a host needs one."""

import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager

import httpx2

from mistral_mcp.errors import BadSetting
from mistral_mcp.network import Network

CONNECTIONS = 1000
"""Concurrent requests of all callers together."""
KEEPALIVE = 30.0
"""Seconds that an idle connection is kept open."""

HEADER_ENCODING = "iso-8859-1"
"""Of headers: each byte is a character."""

BuildTransport = Callable[[ssl.SSLContext], httpx2.AsyncBaseTransport]


class Wire(httpx2.AsyncBaseTransport):
    """Connects directly, or through the proxy that the network names for a host.

    Nothing is built before the first request: certificates take long to load, and neither listing tools nor plain HTTP needs
    any. An unusable network setting raises `BadSetting` then.
    """

    def __init__(self, network: Network, build_direct: BuildTransport | None = None) -> None:
        self._network = network
        self._build_direct = build_direct or httpx2_transport
        self._tls: ssl.SSLContext | None = None
        self._transports: dict[tuple[str, str | None], httpx2.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        proxy = self._network.proxy_for(url.scheme, url.host, url.port)
        transport = self._transports.get((url.scheme, proxy))
        if transport is None:
            transport = self._transports[url.scheme, proxy] = self._build(url.scheme, proxy)
        if proxy is None:
            return await transport.handle_async_request(request)
        with map_proxy_failures():
            return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    def _build(self, scheme: str, proxy: str | None) -> httpx2.AsyncBaseTransport:
        if scheme == "http" and proxy is None:
            trusting_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return self._build_direct(trusting_nobody)
        self._tls = self._tls or tls_context(self._network)
        if proxy is None:
            return self._build_direct(self._tls)
        return httpx2_transport(self._tls, proxy)


class BorrowedTransport(httpx2.AsyncBaseTransport):
    """A transport that its owner, not this server, closes."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self.handle_async_request = transport.handle_async_request


def httpx2_transport(tls: ssl.SSLContext, proxy: str | None = None) -> httpx2.AsyncBaseTransport:
    """httpx2's own connections. Raises `BadSetting` for a proxy URL that it cannot use."""
    try:
        return httpx2.AsyncHTTPTransport(
            verify=tls,
            proxy=_proxy(proxy, tls) if proxy else None,
            limits=httpx2.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE
            ),
        )
    except (ValueError, httpx2.InvalidURL):  # their message may hold the URL, and a password in it
        raise BadSetting(
            "The proxy of this machine cannot be used: its URL is not valid.", "Correct HTTPS_PROXY or ALL_PROXY."
        ) from None


def tls_context(network: Network) -> ssl.SSLContext:
    """The trusted certificates. Raises `BadSetting` if a file named in the environment is unusable."""
    folder = None
    if network.ca_file:
        # The system's file would be loaded as well, in a tenth of a second; of a folder only what is asked for is.
        folder = ssl.get_default_verify_paths().capath
    try:
        context = ssl.create_default_context(capath=folder)
    except OSError:  # which opens SSLKEYLOGFILE as well
        raise BadSetting(
            "SSLKEYLOGFILE names a file that cannot be written.",
            "Unset it, or name a file in a folder that exists.",
        ) from None
    if network.ca_file:
        try:
            context.load_verify_locations(network.ca_file)  # OpenSSL silently ignores one that it cannot read
        except OSError:
            raise BadSetting(
                "SSL_CERT_FILE names a file that holds no certificates or cannot be read.",
                "Name a file of certificates in PEM format, or unset it to use the system's.",
            ) from None
    return context


def _proxy(url: str, tls: ssl.SSLContext) -> httpx2.Proxy:
    return httpx2.Proxy(url, ssl_context=tls if url.startswith("https:") else None)


@contextmanager
def map_proxy_failures() -> Generator[None]:
    """Connection failures behind a proxy are the proxy's; but an untrusted certificate is the other end's."""
    try:
        yield
    except httpx2.ConnectTimeout as error:
        raise httpx2.ProxyError("the proxy did not answer") from error
    except httpx2.ConnectError as error:
        if is_untrusted_certificate(error):
            raise
        raise httpx2.ProxyError("the proxy could not be reached") from error


def is_untrusted_certificate(error: BaseException) -> bool:
    """Whether an untrusted certificate caused an error."""
    return has_cause(error, ssl.SSLCertVerificationError)


def has_cause(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error is of this kind, or was caused by one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause is not None
