"""How a host's file is written."""

import re
import stat

import pytest

from mistral_mcp.install import HOSTS, Machine
from tests.install.machines import KEY, SECRET_URL, backups, fixture_of, install, remove, run, servers


def test_a_link_stays_a_link_and_what_it_leads_to_is_change(machine: Machine):
    real = machine.home / "dotfiles" / "codex.toml"
    real.parent.mkdir()
    real.write_bytes(fixture_of("codex"))
    file = HOSTS["codex"].file(machine)
    file.parent.mkdir()
    file.symlink_to(real)

    install(machine, "codex")

    assert file.is_symlink()
    assert "mistral" in servers("codex", real.read_text())
    assert [backup.read_bytes() for backup in backups(real)] == [fixture_of("codex")]


def test_a_file_that_cannot_be_written_is_refused_in_one_sentence(machine: Machine):
    (machine.home / ".cursor").write_text("a file where a folder should be")

    result = run(machine, "cursor")

    assert result.exit_code == 1
    assert re.fullmatch(r"mistral-mcp: \S+: .+\.\n", result.stderr)


@pytest.mark.parametrize("url", [None, SECRET_URL], ids=["key", "secret URL"])
def test_a_file_that_gets_a_key_is_the_user_s_alone_from_then_on(machine: Machine, put, url: str | None):
    file = put("zed", fixture_of("zed"))
    file.chmod(0o644)

    install(machine, "zed", KEY, url=url)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    remove(machine, "zed")
    modes = {
        backup.read_bytes() == fixture_of("zed"): stat.S_IMODE(backup.stat().st_mode) for backup in backups(file)
    }
    assert modes == {True: 0o644, False: 0o600}  # the first holds no key, and is as private as the file was


def test_a_file_without_a_key_keeps_its_mode(machine: Machine, put):
    file = put("cursor", fixture_of("cursor"))
    file.chmod(0o644)

    install(machine, "cursor")

    assert stat.S_IMODE(file.stat().st_mode) == 0o644
