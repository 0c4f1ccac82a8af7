"""The content of an entry."""

import re

import pytest

from mistral_mcp.install import HOSTS, remote_entry
from tests.install.machines import KEY, REMOTE, SECRET_URL, TOKEN

every_host = pytest.mark.parametrize("host", list(HOSTS))


@every_host
def test_a_secret_url_goes_alone_and_any_other_with_the_key_in_the_header_for_keys(host: str):
    alone = remote_entry(host, SECRET_URL)
    with_key = repr(remote_entry(host, REMOTE, key=KEY))
    with_reference = repr(remote_entry(host, REMOTE))
    with_token = repr(remote_entry(host, REMOTE, key=TOKEN))

    assert SECRET_URL in repr(alone)
    assert not re.search(r"(?i)authorization|bearer|api_key", repr(alone))
    assert "X-Mistral-Api-Key" in with_key
    assert KEY in with_key
    assert "Bearer" not in with_key + with_reference  # with OAuth on, a raw key there is refused
    assert ("X-Mistral-Api-Key" in with_reference) == (HOSTS[host].remote_reference is not None)
    assert f"Bearer {TOKEN}" in with_token
    assert "Authorization" in with_token
