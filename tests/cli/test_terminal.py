"""The output on a terminal while a command works."""

import pytest

from mistral_mcp.cli import terminal


def test_without_a_terminal_a_long_wait_is_reported_in_plain_lines_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal.waiting("Opening the vault") as tell:
        tell("1 of 9 turned")  # so soon nobody has waited
        monkeypatch.setattr(terminal, "REPORT_INTERVAL", 0)
        tell("5 of 9 turned")

    assert capsys.readouterr() == ("", "5 of 9 turned…\n")
