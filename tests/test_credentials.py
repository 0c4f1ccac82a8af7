"""The key of a request, without HTTP; for the rest see tests/http."""

import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr
from starlette.datastructures import Headers

from mistral_mcp import Settings
from mistral_mcp.credentials import (
    Credentials,
    HeaderCredential,
    find_in_headers,
    from_headers,
    from_key,
    from_scope,
    strip_quotes,
    validate_user_key,
)
from mistral_mcp.errors import AmbiguousCredential, MissingCredential, RefusedCredential
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, Connect, connect_in_memory, connect_over_http, serving, text_of


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("mmcp_0123456789abcdef", "a connection's token"),
        ("MMCP_0123456789abcdef", "a connection's token"),
        ("sk-0123456789abcdefghij", "another service's credential"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh", "another service's credential"),
        ("two words", "without spaces"),
        ("zq1", "too short"),
        ("Bearer tEsTkEy0123456789abcdefghijklmn1", 'without "Bearer"'),
    ],
)
async def test_what_is_no_key_of_mistrals_is_not_sent_on(mistral_url: str, sandbox: Sandbox, key: str, words: str):
    async with connect_in_memory(mistral_url, key=key) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hello"})

    assert result.is_error
    assert words in text_of(result)
    assert "MISTRAL_API_KEY" in text_of(result)
    assert key not in text_of(result)
    assert not sandbox.requests


@pytest.mark.parametrize("key", ["k3yk3yk3", "k" * 512])
def test_a_key_may_be_as_short_or_as_long_as_it_is_taken(key: str):
    assert validate_user_key(SecretStr(key), "a header") == Credentials(SecretStr(key), "a header")


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("$MISTRAL_API_KEY", "where the MCP client runs"),
        ("mmcp_0123456789abcdef", "from https://console.mistral.ai"),
        ("sk-0123456789abcdefghij", "from https://console.mistral.ai"),
    ],
)
def test_whoever_sends_something_else_is_told_where_a_key_comes_from(key: str, advice: str):
    with pytest.raises(RefusedCredential) as refused:
        validate_user_key(SecretStr(key), "a header")
    assert advice in refused.value.advice


@pytest.mark.parametrize(
    ("key", "words"), [("k3yk3yk", "too short"), ("k3y k3yk", "without spaces"), ("k" * 513, "not a key")]
)
def test_what_is_a_little_shorter_or_longer_is_no_key(key: str, words: str):
    with pytest.raises(RefusedCredential, match=words):
        validate_user_key(SecretStr(key), "a header")


async def test_a_request_that_no_front_looked_at_is_told_how_to_carry_a_key():
    with pytest.raises(MissingCredential, match=r"carries no credential\..*X-Mistral-Api-Key"):
        await from_scope(None)


@pytest.mark.parametrize(
    ("name", "value", "is_bearer"),
    [
        ("X-Mistral-Api-Key", KEY, False),
        ("X-API-Key", f'"{KEY}"', False),
        ("Authorization", f"Bearer {KEY}", True),
        ("Authorization", f" bearer  {KEY} ", True),
    ],
)
def test_a_credential_says_which_header_it_came_in(name: str, value: str, *, is_bearer: bool):
    found = HeaderCredential(SecretStr(KEY), f"the {name} header", is_bearer)

    assert find_in_headers(Headers({name: value})) == found
    assert from_headers(Headers({name: value}), "advice") == found


@pytest.mark.parametrize("key", [KEY, SecretStr(KEY), f"'{KEY}'"])
async def test_a_process_has_one_key_for_every_call(key: str | SecretStr):
    assert (await from_key(key)(None)).key == SecretStr(KEY)


@pytest.mark.parametrize("nothing", [None, "", SecretStr(""), " '' "])
async def test_without_a_key_a_process_has_none_and_says_where_it_belongs(nothing: str | SecretStr | None):
    assert await from_key(nothing)(None) == Credentials(None, "MISTRAL_API_KEY")


@pytest.mark.parametrize(
    ("text", "value"),
    [("''", ""), ("' a '", "a"), (" a ", "a"), ("'", "'"), ("'a", "'a"), ("'a`", "'a`"), ("XaX", "XaX")],
)
def test_a_pair_of_quotes_is_taken_off_and_nothing_else(text: str, value: str):
    assert strip_quotes(text) == value


def test_what_follows_bearer_is_one_credential_to_its_end():
    found = find_in_headers(Headers({"Authorization": "Bearer two words"}))

    assert found is not None
    assert found.secret == SecretStr("two words")


def test_two_credentials_that_differ_are_refused_with_the_headers_to_choose_from():
    with pytest.raises(AmbiguousCredential, match="X-Mistral-Api-Key, X-API-Key, Authorization"):
        find_in_headers(Headers({"X-API-Key": KEY, "Authorization": f"Bearer {KEY[::-1]}"}))


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", 'Digest username="a", realm="b"', "Negotiate"])
def test_another_scheme_is_refused_and_no_scheme_is_missing(value: str):
    with pytest.raises(RefusedCredential, match=r"Bearer.* advice"):
        from_headers(Headers({"Authorization": value}), "advice")
    for headers in ({}, {"Authorization": "Bearer "}):
        with pytest.raises(MissingCredential, match="advice"):
            from_headers(Headers(headers), "advice")


PLACEHOLDERS = [
    "${MISTRAL_API_KEY}",
    "${env:MISTRAL_API_KEY}",
    "${input:mistral-key}",
    "${{ secrets.MISTRAL_API_KEY }}",
    "$MISTRAL_API_KEY",
    "$(MISTRAL_API_KEY)",
    "%MISTRAL_API_KEY%",
    "{{MISTRAL_API_KEY}}",
    "{{ mistral.key }}",
    "<your-api-key>",
    "[YOUR API KEY]",
    "YOUR_MISTRAL_API_KEY",
    "your-mistral-api-key-here",
    "YOUR_KEY",
    "MISTRAL_API_KEY",
    "env:MISTRAL_API_KEY",
    "undefined",
    "null",
    '"${MISTRAL_API_KEY}"',
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("connect", [connect_in_memory, connect_over_http], ids=["in-memory", "http"])
async def test_a_placeholder_is_no_key_and_is_not_sent(
    mistral_url: str, sandbox: Sandbox, connect: Connect, text: str
):
    if connect is connect_over_http:
        async with (
            serving(create_app(Settings.model_validate({"route": mistral_url}))) as base,
            AsyncClient() as http,
        ):
            answer = await http.post(f"{base}/mcp", headers={"X-Mistral-Api-Key": text}, json={})
        assert answer.status_code == 401
        said = answer.json()["error"]["message"]
    else:
        async with connect(mistral_url, key=text) as client:
            said = text_of(await client.call_tool("mistral_chat", {"prompt": "Hello"}))

    assert "was not expanded" in said
    assert text not in said.replace("The value of MISTRAL_API_KEY is", "")
    assert not sandbox.requests


@pytest.mark.parametrize("quotes", ['"%s"', "'%s'", "`%s`"])
@pytest.mark.parametrize("connect", [connect_in_memory, connect_over_http], ids=["in-memory", "http"])
async def test_quotes_around_a_key_are_taken_off(
    mistral_url: str, sandbox: Sandbox, connect: Connect, quotes: str
):
    async with connect(mistral_url, key=quotes % KEY) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hello"})

    assert [request.key for request in sandbox.requests] == [KEY]


@pytest.mark.parametrize(
    "key", ["0123456789abcdefABCDEF0123456789", "nonesuch0123456789", "xxAb0123456789", "myKey0123456789abcd"]
)
def test_what_only_resembles_a_placeholder_is_a_key(key: str):
    assert validate_user_key(SecretStr(key), "it").key == SecretStr(key)
