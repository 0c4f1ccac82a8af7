"""`mistral-mcp sandbox`."""

import socket

from tests.cli.commands import run


def test_a_port_that_is_taken_ends_the_sandbox_with_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("sandbox", "--port", str(taken.getsockname()[1]))

    assert result.exit_code == 1
    assert "Simulated" not in result.stderr
    assert "cannot be used: Address already in use. Choose another." in result.stderr
