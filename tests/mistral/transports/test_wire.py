"""Real connections on this machine's network: proxies, certificates, and what cannot be used of them."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import Settings
from mistral_mcp.errors import BadSetting, LocalNetworkError
from mistral_mcp.mistral.api.models import ListModelsCall
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.mistral.transports.aiohttp_wire import serving_wire
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.mistral.transports.wire import Wire, is_untrusted_certificate, tls_context
from mistral_mcp.network import Network
from tests.certificates import self_sign
from tests.conftest import KEY
from tests.mistral.transports.test_aiohttp_wire import OK

pytestmark = pytest.mark.timeout(20)
BUILDERS = {"stdio": Wire, "serve": serving_wire}
every_wire = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


class Proxy:
    """A proxy that answers in the place of the host it is asked for, or refuses."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"\5":
            await self._greet_socks(reader, writer)
            first = b""
        self.heads.append(first + await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    async def _greet_socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\5\0")
        await reader.readexactly(4)
        self.heads.append(await reader.readexactly((await reader.readexactly(1))[0] + 2))
        writer.write(b"\5\0\0\1\0\0\0\0\0\0")


@asynccontextmanager
async def serve_app(proxy: Proxy, tls: ssl.SSLContext | None = None) -> AsyncGenerator[str]:
    server = await asyncio.start_server(proxy, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def ask(wire: Wire, url: str) -> bytes:
    request = httpx2.Request("GET", url, extensions={"timeout": {"connect": 5}})
    try:
        response = await wire.handle_async_request(request)
        return await response.aread()
    finally:
        await wire.aclose()


@every_wire
async def test_a_proxy_is_used_for_other_hosts(build: type[Wire]):
    async with serve_app(proxy := Proxy()) as address:
        assert await ask(build(Network(http_proxy=f"http://{address}")), "http://gateway.invalid/v1/x") == b"hello"
    assert proxy.heads[0].startswith(b"GET http://gateway.invalid/v1/x HTTP/1.1\r\n")


@every_wire
async def test_a_socks_proxy_is_asked_by_name(build: type[Wire]):
    async with serve_app(proxy := Proxy()) as address:
        assert (
            await ask(build(Network(all_proxy=f"socks5://{address}")), "http://gateway.invalid/v1/x") == b"hello"
        )
    assert proxy.heads[0] == b"gateway.invalid\0P"
    assert proxy.heads[1].startswith(b"GET /v1/x HTTP/1.1\r\n")


@every_wire
async def test_loopback_and_exceptions_are_reached_directly(build: type[Wire]):
    async with serve_app(proxy := Proxy()) as address, serve_app(there := Proxy()) as host:
        for network in (Network(http_proxy=f"http://{address}"), Network(all_proxy=address, no_proxy=("*",))):
            assert await ask(build(network), f"http://{host}/") == b"hello"
    assert not proxy.heads
    assert len(there.heads) == 2


@every_wire
@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 No\r\n\r\n", b"HTTP/1.1 407 Who\r\n\r\n", b""])
async def test_a_proxy_that_refuses_is_a_proxy_error(build: type[Wire], answer: bytes):
    async with serve_app(Proxy(answer)) as address:
        with pytest.raises((httpx2.ProxyError, httpx2.RemoteProtocolError)):
            await ask(build(Network(https_proxy=f"http://{address}")), "https://gateway.invalid/")


@every_wire
async def test_a_proxy_where_nobody_listens_is_a_proxy_error(build: type[Wire]):
    async with serve_app(Proxy()) as address:
        pass
    with pytest.raises(httpx2.ProxyError):
        await ask(build(Network(https_proxy=f"http://{address}")), "https://gateway.invalid/")


@every_wire
async def test_a_certificate_that_is_not_trusted_is_distinguished(build: type[Wire], tmp_path: Path):
    certificate = self_sign(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with serve_app(Proxy(), tls) as address:
        with pytest.raises(httpx2.ConnectError) as untrusted:
            await ask(build(Network()), f"https://{address}/")
        assert is_untrusted_certificate(untrusted.value)
        assert await ask(build(Network(ca_file=str(certificate))), f"https://{address}/") == b"hello"


@every_wire
@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_file_of_certificates_that_cannot_be_used_is_named(
    build: type[Wire], content: bytes | None, tmp_path: Path
):
    file = tmp_path / "certificates.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSetting, match="SSL_CERT_FILE"):
        await ask(build(Network(ca_file=str(file))), "https://127.0.0.1:1/")


@every_wire
async def test_plain_http_needs_no_certificates(build: type[Wire]):
    async with serve_app(Proxy()) as address:
        assert await ask(build(Network(ca_file="/nowhere")), f"http://{address}/") == b"hello"


@every_wire
async def test_a_wire_that_has_sent_plain_http_still_verifies_certificates(build: type[Wire], tmp_path: Path):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(self_sign(tmp_path))
    async with serve_app(Proxy()) as plain, serve_app(Proxy(), tls) as encrypted:
        wire = build(Network())
        await (await wire.handle_async_request(httpx2.Request("GET", f"http://{plain}/"))).aread()
        with pytest.raises(httpx2.ConnectError) as untrusted:
            await ask(wire, f"https://{encrypted}/")
    assert is_untrusted_certificate(untrusted.value)


def test_where_a_file_of_certificates_is_named_the_system_s_is_not_loaded_too(tmp_path: Path):
    context = tls_context(Network(ca_file=str(self_sign(tmp_path))))
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode == ssl.CERT_REQUIRED


@every_wire
async def test_a_key_log_that_cannot_be_written_is_named(build: type[Wire], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    with pytest.raises(BadSetting, match="SSLKEYLOGFILE"):
        await ask(build(Network()), "https://127.0.0.1:1/")


@every_wire
async def test_a_proxy_that_cannot_be_used_fails_the_call_in_one_sentence(build: type[Wire]):
    for url in ("socks4://p:1", "http://user:pass word@p:1:2", "http://\x00:1"):
        with pytest.raises(BadSetting, match="_PROXY"):
            await ask(build(Network(all_proxy=url)), "https://gateway.invalid/")


@every_wire
@pytest.mark.parametrize("fault", ["certificate", "name", "proxy"])
async def test_what_is_wrong_with_this_machine_s_network_is_said_after_one_attempt(
    build: type[Wire], fault: str, tmp_path: Path
):
    certificate = self_sign(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with serve_app(Proxy(), tls) as address, serve_app(Proxy(b"HTTP/1.1 403 No\r\n\r\n")) as refusing:
        route = f"https://{address}" if fault == "certificate" else "https://gateway.invalid"
        network = Network(https_proxy=refusing if fault == "proxy" else "")
        settings = Settings.model_validate({"route": route})
        wire = build(network)
        upstream = Upstream(settings, wire)
        mistral = upstream.client(Caller.of(SecretStr(KEY), "a test", settings.route, None))
        with pytest.raises(LocalNetworkError) as failed:
            await mistral.send(ListModelsCall())
        await wire.aclose()

    setting = {"certificate": "SSL_CERT_FILE", "name": "DNS", "proxy": "HTTPS_PROXY"}[fault]
    assert setting in failed.value.advice
    assert failed.value.attempts == 1
