"""The attacked server: `serve` and the sandbox behind it, each in its own process."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BODY = 8 * 1024 * 1024 - 2048
ANSWER_WITHIN = 100.0
PATH = "/mcp?toolsets=all"
OLD, NEW = "2025-06-18", "2026-07-28"
ATTACKER, TENANT = "attacker-0123456789", "tenant-0123456789abc"


def call(tool: str, arguments: str) -> bytes:
    """A `tools/call` request; the arguments are JSON."""
    params = f'{{"name": {json.dumps(tool)}, "arguments": {arguments}}}'
    return f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}'.encode()


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    mistral: int
    """The port of the sandbox."""

    def post(self, body: bytes, version: str = OLD, key: str = ATTACKER, path: str = PATH) -> bytes:
        """The body of the answer; empty if the connection breaks."""
        headers = {
            "X-Mistral-Api-Key": key,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
        }
        if version == NEW:
            params = json.loads(body)["params"]
            headers |= {"Mcp-Method": "tools/call", "Mcp-Name": params["name"]}
        return send(self.port, "POST", path, headers, body)

    def ask_mistral(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send a request directly to the sandbox."""
        return send(self.mistral, "POST", path, headers, body)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), ANSWER_WITHIN)

    def memory(self, name: str) -> float:
        """In MB: VmRSS now, VmHWM at its peak."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(name))

    def reset_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


def send(port: int, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


@contextmanager
def product(
    folder: str, log: IO[bytes] | None = None, settings: Mapping[str, str] | None = None
) -> Generator[Server]:
    """Start `serve` and the sandbox behind it, and stop them on exit."""
    mistral, port = _free_port(), _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MISTRAL_")}
    environment |= {"MISTRAL_MCP_ROUTE": f"http://127.0.0.1:{mistral}", "MISTRAL_MCP_LOG_LEVEL": "ERROR"}
    environment |= settings or {}
    command = [sys.executable, "-m", "mistral_mcp"]
    # The sandbox runs at a lower priority: Mistral's work is done elsewhere.
    upstream = ["nice", "-n", "15", *command, "sandbox", "--port", str(mistral)]
    serve = [*command, "serve", "--port", str(port), "--data-dir", folder]
    with (
        subprocess.Popen(upstream, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one,  # noqa: S603
        subprocess.Popen(serve, env=environment, stderr=log) as two,  # noqa: S603
    ):
        try:
            for number in (mistral, port):
                _wait_for(number)
            yield Server(port, two.pid, mistral)
        finally:
            two.terminate()
            one.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(port)
