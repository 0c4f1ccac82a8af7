"""The names of owners, of which a bounded number is remembered."""

from pydantic import SecretStr

from mistral_mcp.credentials import Credentials
from mistral_mcp.hosting.usage.owners import OwnerNames


def test_the_names_of_ten_thousand_keys_are_remembered_those_of_the_last_ones():
    asked: list[str] = []

    def find(credentials: Credentials) -> str:
        assert credentials.key is not None
        asked.append(credentials.key.get_secret_value())
        return asked[-1].upper()

    names = OwnerNames(find)
    keys = [Credentials(SecretStr(f"key-{number}"), "a test") for number in range(10_001)]
    for key in keys[:10_000]:
        names.of(key)
    names.of(keys[10_000])  # replaces the first one

    asked.clear()
    assert [names.of(key) for key in (keys[1], keys[10_000], keys[0])] == ["KEY-1", "KEY-10000", "KEY-0"]
    assert asked == ["key-0"]
