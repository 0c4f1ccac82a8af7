"""Runs the commands as a person does."""

import os
import subprocess

from click.testing import CliRunner, Result

from mistral_mcp.cli.main import main


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def run_on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """Everything that the command writes to a terminal of 80 columns."""
    ours, its = os.openpty()
    with subprocess.Popen(  # noqa: S603
        command, stdin=its, stdout=its, stderr=its, env={**environment, "COLUMNS": "80"}
    ) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux says that the other side is closed
                piece = b""
            if not piece:
                break
            shown += piece
        process.wait(60)
    os.close(ours)
    return shown.decode()
