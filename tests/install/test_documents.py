"""A host's file as text."""

import pytest

from mistral_mcp.errors import CannotInstall
from mistral_mcp.install import HOSTS, stdio_entry
from mistral_mcp.install.documents import change, entry_in


def test_a_change_that_would_lose_something_is_refused():
    anchored = "base: &base\n  name: a\nextensions: &all\n  a: *base\nagain: *all\n"

    with pytest.raises(CannotInstall, match="by hand"):
        change(HOSTS["goose"], anchored, "mistral", stdio_entry("goose"))
    assert entry_in(HOSTS["goose"], anchored, "mistral") is None
