"""The snippets that a person copies."""

import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from mistral_mcp.install import HOSTS, deeplink, remote_entry, snippets, stdio_entry
from tests.install.machines import (
    REMOTE,
    SECRET_URL,
    TOKEN,
    servers,
)


def test_there_is_a_snippet_for_every_host_that_takes_a_url():
    found = {snippet.host: snippet for snippet in snippets(SECRET_URL)}

    assert set(found) == (set(HOSTS) - {"claude-desktop"}) | {"claude", "chatgpt", "vibe-work", "json"}
    assert all(SECRET_URL in snippet.text and snippet.where and snippet.title for snippet in found.values())
    assert found["claude-code"].text == f"claude mcp add --transport http --scope user mistral {SECRET_URL}"
    for host in set(HOSTS) & set(found) - {"claude-code"}:
        assert SECRET_URL in repr(servers(host, found[host].text)["mistral"])


def test_what_is_copied_is_the_same_in_both_languages_and_what_is_read_is_not():
    english, french = snippets(SECRET_URL), snippets(SECRET_URL, language="fr")

    assert [(each.host, each.text, each.link) for each in english] == [
        (each.host, each.text, each.link) for each in french
    ]
    pairs = zip(english, french, strict=True)
    in_words = {one.host for one, other in pairs if one.where != other.where}
    assert in_words == {
        "claude",
        "claude-code",
        "chatgpt",
        "vibe-work",
        "json",
        "vscode",
        "zed",
        "lmstudio",
        "cline",
    }


def test_links_with_a_secret_in_them_never_lead_to_a_web_server():
    for snippet in snippets(SECRET_URL):
        if snippet.link and urlsplit(snippet.link).scheme == "https":
            assert TOKEN not in unquote(snippet.link)
            assert "config=" not in snippet.link


def test_deeplinks_carry_the_entry():
    links = {snippet.host: snippet.link or "" for snippet in snippets(SECRET_URL, name="mine")}

    def config(link: str) -> Any:
        return json.loads(b64decode(parse_qs(urlsplit(link).query)["config"][0]))

    assert links["cursor"].startswith("cursor://anysphere.cursor-deeplink/mcp/install?name=mine&config=")
    assert config(links["cursor"]) == {"url": SECRET_URL}
    assert config(links["lmstudio"]) == {"url": SECRET_URL}
    assert json.loads(unquote(links["vscode"].removeprefix("vscode:mcp/install?"))) == {
        "name": "mine",
        "type": "http",
        "url": SECRET_URL,
    }
    assert parse_qs(urlsplit(links["goose"]).query)["url"] == [SECRET_URL]
    assert deeplink("zed", stdio_entry("zed")) is None


def decode_link(link: str) -> dict[str, Any]:
    """The entry in a link, as the host reads it there."""
    parts = urlsplit(link)
    if parts.scheme == "vscode":
        return json.loads(unquote(parts.query))
    query = parse_qs(parts.query)
    if parts.scheme == "goose":
        if "url" in query:
            return {"uri": query["url"][0], "type": query["type"][0]}
        return {"type": "stdio", "cmd": query["cmd"][0], "args": query["arg"]}
    [config] = query["config"]
    return (
        json.loads(config)
        if parts.hostname == "insiders.vscode.dev"
        else json.loads(b64decode(config, validate=True))
    )


@pytest.mark.parametrize("web", [False, True], ids=["app", "web"])
@pytest.mark.parametrize("host", ["cursor", "vscode", "lmstudio", "goose"])
@pytest.mark.parametrize("url", [None, REMOTE, SECRET_URL], ids=["stdio", "remote", "secret"])
def test_a_link_decodes_to_the_very_entry_that_the_file_would_get(host: str, url: str | None, web: bool):  # noqa: FBT001
    entry = stdio_entry(host) if url is None else remote_entry(host, url)
    link = deeplink(host, entry, name="mine", web=web)
    if link is None:
        assert (host, web) == ("goose", True)  # it has no page
        return
    found = decode_link(link)

    name = found.pop("name", None) or parse_qs(urlsplit(link).query)["name"][0]
    inputs = found.pop("inputs", None)
    assert name == "mine"
    assert found == {key: value for key, value in entry.items() if key in found}
    assert host == "goose" or found == entry
    if host == "vscode" and not web:
        assert inputs == (HOSTS["vscode"].beside["inputs"] if "${input:" in repr(entry) else None)
    assert " " not in link
    assert "+" not in urlsplit(link).query  # a blank, to some


def test_web_links_for_a_program_hold_no_key_but_ask_for_it():
    link = deeplink("vscode", stdio_entry("vscode"), web=True) or ""
    query = parse_qs(urlsplit(link).query)

    assert json.loads(query["config"][0])["env"] == {"MISTRAL_API_KEY": "${input:mistral-key}"}
    assert json.loads(query["inputs"][0])[0]["password"] is True
    assert (deeplink("goose", stdio_entry("goose")) or "").startswith("goose://extension?cmd=uvx&arg=mistral-mcp&")
