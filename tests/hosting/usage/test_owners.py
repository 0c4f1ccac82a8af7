"""The names of owners, of which a bounded number is remembered."""

from pydantic import SecretStr

from mistral_mcp.credentials import Credentials
from mistral_mcp.hosting.usage.owners import OwnerNames


def test_the_names_of_ten_thousand_keys_are_remembered_those_used_last():
    asked: list[str] = []

    def find(credentials: Credentials) -> str:
        assert credentials.key is not None
        asked.append(credentials.key.get_secret_value())
        return asked[-1].upper()

    names = OwnerNames(find)
    keys = [Credentials(SecretStr(f"key-{number}"), "a test") for number in range(10_001)]
    for key in keys[:10_000]:
        names.of(key)
    names.of(keys[0])
    names.of(keys[10_000])  # replaces the second one, which was used the longest ago

    asked.clear()
    assert [names.of(key) for key in (keys[0], keys[10_000], keys[1])] == ["KEY-0", "KEY-10000", "KEY-1"]
    assert asked == ["key-1"]
