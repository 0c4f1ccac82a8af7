"""Whose key is a request's, where no HTTP is involved; for the rest see test_http."""

import pytest

from mistral_mcp.sandbox import Sandbox
from tests.conftest import in_memory, text_of


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("mmcp_0123456789abcdef", "a connection's token"),
        ("MMCP_0123456789abcdef", "a connection's token"),
        ("sk-0123456789abcdefghij", "another service's credential"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh", "another service's credential"),
        ("two words", "is not a key"),
    ],
)
async def test_what_is_no_key_of_mistrals_is_not_sent_on(mistral_url: str, sandbox: Sandbox, key: str, words: str):
    async with in_memory(mistral_url, key=key) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hello"})

    assert result.is_error
    assert words in text_of(result)
    assert "MISTRAL_API_KEY" in text_of(result)
    assert key not in text_of(result)
    assert not sandbox.requests
