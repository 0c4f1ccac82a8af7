"""What the wire sees of each route: URL, headers and body, exactly."""

import base64
import json
import time

import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import errors
from mistral_mcp.mistral.multipart import Form
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.mistral.transports.routes import Routes, carries
from mistral_mcp.route import Route

KEY = "k" * 32
TOKEN = "aks_live_secret"
CLOUDFLARE = "https://gateway.ai.cloudflare.com/v1/acc/gate"
LAVA = "https://api.lava.so/v1/forward?u=https%3A%2F%2Fapi.mistral.ai%2Fv1%2F"

EVERY_CALL = {
    "chat": ("POST", "/v1/chat/completions"),
    "code": ("POST", "/v1/fim/completions"),
    "embeddings": ("POST", "/v1/embeddings"),
    "moderation": ("POST", "/v1/moderations"),
    "chat moderation": ("POST", "/v1/chat/moderations"),
    "classification": ("POST", "/v1/classifications"),
    "models": ("GET", "/v1/models"),
    "one model": ("GET", "/v1/models/mistral-small-latest"),
    "agent completion": ("POST", "/v1/agents/completions"),
    "conversation": ("POST", "/v1/conversations"),
    "conversation turn": ("POST", "/v1/conversations/conv_1"),
    "file upload": ("POST", "/v1/files"),
    "file list": ("GET", "/v1/files"),
    "file content": ("GET", "/v1/files/f1/content"),
    "file delete": ("DELETE", "/v1/files/f1"),
    "batch": ("POST", "/v1/batch/jobs"),
    "fine-tuning": ("POST", "/v1/fine_tuning/jobs"),
    "library": ("POST", "/v1/libraries"),
    "document upload": ("POST", "/v1/libraries/l1/documents"),
    "document list": ("GET", "/v1/libraries/l1/documents"),
    "ocr": ("POST", "/v1/ocr"),
    "transcription": ("POST", "/v1/audio/transcriptions"),
}
STATEFUL = {
    "agent completion",
    "conversation",
    "conversation turn",
    "file upload",
    "file list",
    "file content",
    "file delete",
    "batch",
    "library",
    "document upload",
    "document list",
}
FORWARDED = {"chat", "code", "embeddings", "moderation", "chat moderation"}
CARRIED = {
    "direct": set(EVERY_CALL),
    "eu": set(EVERY_CALL) - STATEFUL,
    "us": set(EVERY_CALL) - STATEFUL,
    "http://127.0.0.1:9/x": set(EVERY_CALL),
    "cloudflare://acc/gate": set(EVERY_CALL) - {"file upload", "document upload"},
    "cloudflare-compat://acc/gate": {"chat"},
    "lava://byok": FORWARDED,
    "lava://": FORWARDED,
}


class Wire(httpx2.AsyncBaseTransport):
    """Keeps what would go out."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        return httpx2.Response(200, stream=httpx2.ByteStream(b"data: 1\n\n"))

    async def aclose(self) -> None:
        self.closed = True


def request_on(route, method="POST", target="/v1/chat/completions", *, key=KEY, token=TOKEN, content=None):
    caller = Caller.of(
        SecretStr(key) if key else None, "a test", Route.parse(route), SecretStr(token) if token else None
    )
    exchange = Exchange(caller, repeatable=True, deadline=time.monotonic() + 10)
    if content is None and method == "POST":
        content = b'{"model":"mistral-small-latest","messages":[{"role":"user","content":"hi"}]}'
    return httpx2.Request(
        method,
        f"https://api.mistral.ai{target}",
        headers={"accept": "text/event-stream", "user-agent": "ours"},
        content=content,
        extensions={"exchange": exchange, "timeout": {"connect": 10.0}},
    )


async def send_to_route(route, *args, **options):
    wire = Wire()
    await Routes(wire).handle_async_request(request_on(route, *args, **options))
    (request,) = wire.requests
    return request


@pytest.mark.parametrize(
    ("route", "url", "host"),
    [
        ("direct", "https://api.mistral.ai/v1/chat/completions", "api.mistral.ai"),
        ("eu", "https://api.eu.mistral.ai/v1/chat/completions", "api.eu.mistral.ai"),
        ("us", "https://api.us.mistral.ai/v1/chat/completions", "api.us.mistral.ai"),
        ("https://proxy.example/m", "https://proxy.example/m/v1/chat/completions", "proxy.example"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787/v1/chat/completions", "127.0.0.1:8787"),
        ("cloudflare://acc/gate", f"{CLOUDFLARE}/mistral/v1/chat/completions", "gateway.ai.cloudflare.com"),
        ("cloudflare-compat://acc/gate", f"{CLOUDFLARE}/compat/chat/completions", "gateway.ai.cloudflare.com"),
        ("lava://byok", f"{LAVA}chat%2Fcompletions", "api.lava.so"),
        ("lava://", f"{LAVA}chat%2Fcompletions", "api.lava.so"),
    ],
)
async def test_each_route_has_its_url_and_says_its_host(route, url, host):
    request = await send_to_route(route)
    assert str(request.url) == url
    assert request.headers.get_list("host") == [host]


@pytest.mark.parametrize("route", ["direct", "eu", "us", "https://proxy.example"])
async def test_without_a_gateway_the_key_is_the_bearer_and_the_gateway_token_stays_home(route):
    request = await send_to_route(route)
    assert request.headers.get_list("authorization") == [f"Bearer {KEY}"]
    assert TOKEN not in str(request.headers.raw)


async def test_cloudflare_gets_its_token_in_its_own_header():
    request = await send_to_route("cloudflare://acc/gate")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["cf-aig-authorization"] == f"Bearer {TOKEN}"
    assert request.headers["cf-aig-max-attempts"] == "1"


async def test_cloudflare_with_stored_keys_gets_no_authorization():
    request = await send_to_route("cloudflare://acc/gate", key=None)
    assert "authorization" not in request.headers
    assert request.headers["cf-aig-authorization"] == f"Bearer {TOKEN}"


async def test_an_open_cloudflare_gateway_gets_no_token():
    assert "cf-aig-authorization" not in (await send_to_route("cloudflare://acc/gate", token=None)).headers


async def test_lava_with_the_callers_key_gets_both_secrets_in_the_forward_token_only():
    request = await send_to_route("lava://byok")
    assert request.headers.get_list("authorization") == [request.headers["authorization"]]
    token = request.headers["authorization"].removeprefix("Bearer ")
    assert base64.b64decode(token, validate=True) == f'{{"secret_key":"{TOKEN}","provider_key":"{KEY}"}}'.encode()
    assert KEY not in str(request.headers.raw)
    assert KEY not in str(request.url)


async def test_managed_lava_never_gets_the_mistral_key():
    token = (await send_to_route("lava://")).headers["authorization"].removeprefix("Bearer ")
    assert json.loads(base64.b64decode(token, validate=True)) == {"secret_key": TOKEN}


async def test_managed_lava_needs_no_mistral_key():
    assert (await send_to_route("lava://", key=None)).headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("missing", [{"key": None}, {"token": None}])
async def test_lava_byok_without_one_of_its_secrets_is_refused_so_that_nobody_else_pays(missing):
    wire = Wire()
    with pytest.raises(errors.MissingCredential):
        await Routes(wire).handle_async_request(request_on("lava://byok", **missing))
    assert wire.requests == []


@pytest.mark.parametrize("route", ["direct", "cloudflare://acc/gate", "http://127.0.0.1:9/x"])
async def test_query_strings_pass_untouched(route):
    request = await send_to_route(route, "GET", "/v1/models?a=1%202&b=%2F&a=x+y")
    assert request.url.raw_path.decode().endswith("/v1/models?a=1%202&b=%2F&a=x+y")


async def test_for_lava_the_query_string_is_inside_the_target():
    request = await send_to_route("lava://", target="/v1/embeddings?a=1%202&b=3")
    assert (
        request.url.raw_path
        == b"/v1/forward?u=https%3A%2F%2Fapi.mistral.ai%2Fv1%2Fembeddings%3Fa%3D1%25202%26b%3D3"
    )


@pytest.mark.parametrize("route", sorted(set(CARRIED) - {"cloudflare-compat://acc/gate"}))
async def test_the_body_and_the_other_headers_pass_untouched(route):
    content = b'{ "model":"m", "messages":[] , "stream":true}'
    request = await send_to_route(route, content=content)
    assert request.content == content
    assert request.headers["content-length"] == str(len(content))
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["user-agent"] == "ours"
    assert request.extensions["timeout"] == {"connect": 10.0}


async def test_a_streamed_upload_is_not_read_on_its_way():
    async def parts():
        yield b"one"
        yield b"two"

    seen = []

    class Taking(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request):
            seen.append([part async for part in request.stream])
            return httpx2.Response(200)

    await Routes(Taking()).handle_async_request(request_on("direct", target="/v1/files", content=parts()))
    assert seen == [[b"one", b"two"]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"m","a":{"model":"x"}}', b'{"model":"mistral/m","a":{"model":"x"}}'),
        (b'{ "model" : "m", "t": 1.50}', b'{ "model" : "mistral/m", "t": 1.50}'),
        (b'{"model":"mistral/m"}', b'{"model":"mistral/m"}'),
        (b'{"model":"dynamic/support","n":1}', b'{"model":"dynamic/support","n":1}'),
        (b'{"n":1, "model":"dynamic/support"}', b'{"n":1, "model":"dynamic/support"}'),
        (b'{"model":"dynamics"}', b'{"model":"mistral/dynamics"}'),
        (
            b'{"a":{"model":"x"},"model":"m","e":"\\u00e9"}',
            b'{"a":{"model":"x"},"model":"mistral/m","e":"\\u00e9"}',
        ),
    ],
)
async def test_compat_names_the_provider_before_the_model_and_changes_nothing_else(body, expected):
    request = await send_to_route("cloudflare-compat://acc/gate", content=body)
    assert request.content == expected
    assert request.headers.get_list("content-length") == [str(len(expected))]


@pytest.mark.parametrize(
    ("method", "target", "body", "skips"),
    [
        ("POST", "/v1/embeddings", b'{"model":"m","input":["a"]}', False),
        ("POST", "/v1/fim/completions", b'{"model":"m","prompt":"a"}', False),
        ("POST", "/v1/chat/completions", b'{"model":"m","messages":[{"content":"say \\"tools\\": x"}]}', False),
        ("POST", "/v1/chat/completions", b'{"model":"m","messages":[],"tools":[]}', True),
        ("POST", "/v1/moderations", b'{"model":"m","input":"a"}', True),
        ("POST", "/v1/batch/jobs", b"{}", True),
        ("POST", "/v1/conversations", b"{}", True),
        ("GET", "/v1/files", None, True),
        ("GET", "/v1/models", None, True),
    ],
)
async def test_only_answers_to_the_same_text_may_come_from_cloudflares_cache(method, target, body, skips):
    request = await send_to_route("cloudflare://acc/gate", method, target, content=body)
    assert request.headers.get("cf-aig-skip-cache") == ("true" if skips else None)


@pytest.mark.parametrize(
    ("options", "logs", "alias"),
    [
        ("", "false", None),
        ("?log_payload=true", None, None),
        ("?stored_key=team-a", "false", "team-a"),
        ("?stored_key=team-a&log_payload=true", None, "team-a"),
    ],
)
async def test_cloudflare_logs_no_payload_unless_asked_and_uses_the_stored_key_that_is_named(options, logs, alias):
    request = await send_to_route(f"cloudflare://acc/gate{options}")
    assert request.headers.get("cf-aig-collect-log-payload") == logs
    assert request.headers.get("cf-aig-byok-alias") == alias
    assert str(Route.parse(f"cloudflare://acc/gate{options}")) == f"cloudflare://acc/gate{options}"


@pytest.mark.parametrize("options", ["?x=1", "?stored_key=a b", "?stored_key=a%0d%0ab", "?log_payload=yes"])
def test_other_options_of_a_cloudflare_route_are_refused(options):
    with pytest.raises(ValueError, match="stored_key"):
        Route.parse(f"cloudflare://acc/gate{options}")


@pytest.mark.parametrize("route", ["eu", "us"])
async def test_a_region_without_files_takes_no_file_id(route):
    document = b'{"model":"m","document":{"type":"file","file_id":"f1"}}'
    with pytest.raises(errors.UnsupportedByRoute, match="file id"):
        await send_to_route(route, target="/v1/ocr", content=document)
    await send_to_route("direct", target="/v1/ocr", content=document)
    request = request_on(route, target="/v1/audio/transcriptions")
    request.stream = Form([("model", "m"), ("file_id", "f1")], "file", None)
    with pytest.raises(errors.UnsupportedByRoute, match="file id"):
        await Routes(Wire()).handle_async_request(request)
    quoted = b'{"model":"m","messages":[{"role":"user","content":"{\\"file_id\\":\\"f1\\"}"}]}'
    assert (await send_to_route(route, content=quoted)).content == quoted


async def test_a_second_attempt_never_comes_from_cloudflares_cache():
    wire = Wire()
    request = request_on("cloudflare://acc/gate")
    request.extensions["exchange"].attempts = 2
    await Routes(wire).handle_async_request(request)
    assert wire.requests[0].headers["cf-aig-skip-cache"] == "true"


async def test_the_request_that_came_down_holds_no_secret_and_can_be_sent_again():
    wire = Wire()
    request = request_on("cloudflare-compat://acc/gate")
    before = (str(request.url), request.headers.raw, request.content)
    for _ in range(2):
        await Routes(wire).handle_async_request(request)
    assert (str(request.url), request.headers.raw, request.content) == before
    first, second = wire.requests
    assert first.headers.raw == second.headers.raw
    assert first.content == second.content


async def test_a_credential_that_came_down_by_mistake_is_replaced():
    wire = Wire()
    request = request_on("lava://")
    request.headers["Authorization"] = f"Bearer {KEY}"
    await Routes(wire).handle_async_request(request)
    assert KEY not in str(wire.requests[0].headers.raw)


@pytest.mark.parametrize("route", CARRIED)
@pytest.mark.parametrize("call", EVERY_CALL)
async def test_a_route_carries_what_the_contract_says_and_refuses_the_rest_before_any_request(route, call):
    method, path = EVERY_CALL[call]
    parsed, wire = Route.parse(route), Wire()
    if call in CARRIED[route]:
        assert carries(parsed, method, path)
        await Routes(wire).handle_async_request(request_on(route, method, path))
        assert len(wire.requests) == 1
    else:
        assert not carries(parsed, method, path)
        with pytest.raises(errors.UnsupportedByRoute) as refused:
            await Routes(wire).handle_async_request(request_on(route, method, f"{path}?page=1"))
        assert wire.requests == []
        assert route in str(refused.value)
        assert "It supports" in str(refused.value)


def test_every_kind_of_route_has_a_name():
    names = {route: Route.parse(route).name for route in CARRIED}

    assert names["lava://byok"] == names["lava://"] == "the Lava gateway"
    assert names["eu"] == "Mistral's EU endpoint"
    assert Route.parse("https://proxy.example:8443/mistral").name == "Mistral at proxy.example:8443"
    assert all(name and "{" not in name for name in names.values())


async def test_closing_closes_the_wire():
    wire = Wire()
    async with Routes(wire):
        pass
    assert wire.closed
