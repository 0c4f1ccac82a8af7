"""One tenant sends hostile requests at full size, while another calls and /healthz is probed every 50 ms.

    .venv/bin/python -m scripts.isolation [NAME…]

Prints a row for each: the longest time without an answer from /healthz, the other tenant's slowest call, and the memory above
idle at its peak. Fails where a bound of `LIMITS` is exceeded. Linux only: memory is read from /proc.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

LIMITS = {"gap": 0.5, "call": 0.5, "memory": 256.0}  # seconds, seconds above the usual, MB
BODY = 8 * 1024 * 1024 - 2048
PROBE_EVERY = 0.05
ANSWER_WITHIN = 100.0
PATH = "/mcp?toolsets=all"
OLD, NEW = "2025-06-18", "2026-07-28"

Attack = Callable[["Server"], None]


def call(tool: str, arguments: str) -> bytes:
    """A tools/call whose arguments are given as JSON."""
    params = f'{{"name": {json.dumps(tool)}, "arguments": {arguments}}}'
    return f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}'.encode()


def filled(before: str, piece: str, after: str) -> str:
    """As many pieces as a body holds, with commas between."""
    count = (BODY - len(before) - len(after) - 300) // (len(piece) + 1)
    return before + ",".join([piece] * count) + after


@dataclass(frozen=True)
class Server:
    port: int
    pid: int

    def post(self, body: bytes, version: str = OLD, key: str = "attacker-0123456789", path: str = PATH) -> int:
        """The size of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_WITHIN)
        headers = {
            "X-Mistral-Api-Key": key,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
        }
        try:
            connection.request("POST", path, body, headers)
            return len(connection.getresponse().read())
        except OSError:
            return 0
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), ANSWER_WITHIN)

    def memory(self, name: str) -> float:
        """In MB: VmRSS now, VmHWM at its peak."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(name))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


def sends(body: str | bytes, version: str = OLD, times: int = 1) -> Attack:
    """So many of them at the same time."""
    raw = body.encode() if isinstance(body, str) else body

    def attack(server: Server) -> None:
        together([lambda: server.post(raw, version) for _ in range(times)])

    return attack


def together(actions: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ANSWER_WITHIN)


def unfinished_bodies(server: Server) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Mistral-Api-Key: attacker-0123456789\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"
    held = [server.connect() for _ in range(20)]
    together([lambda each=each: _send_some(each, head.encode() + b" " * (BODY - 1)) for each in held])
    for each in held:
        each.close()


def _send_some(connection: socket.socket, data: bytes) -> None:
    connection.settimeout(3)
    try:
        connection.sendall(data)
    except OSError:
        return


def unread_answers(server: Server) -> None:
    body = call("mistral_embed", '{"inputs": [' + ",".join(['"a"'] * 200) + '], "output": "inline"}')
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Mistral-Api-Key: attacker-0123456789\r\n"
    head += f"Content-Type: application/json\r\nAccept: */*\r\nContent-Length: {len(body)}\r\n\r\n"
    held = [server.connect() for _ in range(20)]
    for each in held:
        each.sendall(head.encode() + body)
    time.sleep(3)
    for each in held:
        each.close()


def idle_connections(server: Server) -> None:
    held = [server.connect() for _ in range(1500)]
    time.sleep(1)
    for each in held:
        each.close()


def invented_methods(server: Server) -> None:
    for number in range(500):
        with server.connect() as connection:
            connection.sendall(f"M{number}{'X' * 10_000} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            connection.recv(100)


def long_ids(server: Server) -> None:
    for number in range(200):
        server.post(call("mistral_get_model", json.dumps({"model": f"{number}" * 10_000})))


def attacks() -> dict[str, Attack]:
    all_of = json.dumps({"allOf": [{}] * 4900})
    functions = ",".join(f'{{"name": "f{number}", "parameters": {all_of}}}' for number in range(128))
    deep = '{"a":' * 4000 + "1" + "}" * 4000
    chain = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
    schema = json.dumps({"$defs": {**chain, "a60": {}}, "$ref": "#/$defs/a0"})
    pattern = json.dumps({"type": "string", "pattern": "(a|a)*" * 50 + "$"})
    text = json.dumps("x" * (BODY - 1000))
    return {
        "nothing": lambda _: time.sleep(2),  # what the machine alone makes of it
        "messages, empty": sends(call("mistral_chat", filled('{"messages": [', "{}", "]}"))),
        "messages, turns": sends(
            call("mistral_chat", filled('{"messages": [', '{"role":"user","content":"a"}', "]}"))
        ),
        "messages, 60 kB of {}": sends(
            call("mistral_chat", '{"messages": [' + ",".join(["{}"] * 20_000) + "]}"), times=8
        ),
        "messages, 140,000 values": sends(
            call("mistral_chat", '{"messages": [' + ",".join(["{}"] * 140_000) + "]}"), times=4
        ),
        "stop": sends(
            call("mistral_chat", '{"prompt": "x", "stop": [' + ",".join(["1"] * 140_000) + "]}"), times=4
        ),
        "floats": sends(call("mistral_chat", filled('{"stop": [', "1.5", "]}"))),
        "many members": sends(
            call("mistral_chat", "{" + ",".join(f'"{number}":1' for number in range(140_000)) + "}"), times=4
        ),
        "name of a tool": sends(call("x" * (BODY - 1000), "{}")),
        "name of a method": sends(f'{{"jsonrpc":"2.0","id":1,"method":"{"x" * (BODY - 1000)}"}}'),
        "id": sends(f'{{"jsonrpc":"2.0","id":"{"x" * (BODY - 1000)}","method":"ping"}}'),
        "unknown argument": sends(call("mistral_chat", '{"zz": [' + ",".join(["[]"] * 140_000) + "]}"), times=4),
        "nested": sends(call("mistral_chat", f'{{"json_schema": {deep}}}')),
        "not closed": sends(b"[" * BODY),
        "prompt": sends(call("mistral_chat", f'{{"prompt": {text}}}')),
        "prompt, 2026": sends(call("mistral_chat", f'{{"prompt": {text}}}'), NEW),
        "prompt, escapes": sends(call("mistral_chat", '{"prompt": "' + "\\n" * (BODY // 2 - 500) + '"}')),
        "prompt, surrogates": sends(call("mistral_chat", '{"prompt": "' + "\\ud83d" * (BODY // 6 - 500) + '"}')),
        "prompt, 12 at once": sends(call("mistral_chat", f'{{"prompt": {text}}}'), times=12),
        "embed, inline": sends(
            call("mistral_embed", '{"inputs": [' + ",".join(['"a"'] * 20_000) + '], "output": "inline"}')
        ),
        "embed, kept": sends(call("mistral_embed", '{"inputs": [' + ",".join(['"a"'] * 20_000) + "]}")),
        "rank": sends(
            call("mistral_rank", '{"query": "a", "documents": [' + ",".join(['"a b"'] * 100_000) + "]}")
        ),
        "moderate": sends(call("mistral_moderate", '{"inputs": [' + ",".join(['"a"'] * 100_000) + "]}")),
        "128 schemas": sends(call("mistral_function_call", f'{{"prompt": "x", "functions": [{functions}]}}')),
        "schema, chain": sends(call("mistral_chat", f'{{"prompt": "x", "json_schema": {schema}}}')),
        "schema, pattern": sends(call("mistral_chat", f'{{"prompt": "x", "json_schema": {pattern}}}')),
        "batch requests": sends(
            call("mistral_create_batch_job", '{"model": "m", "requests": [' + ",".join(["{}"] * 150_000) + "]}")
        ),
        "resource": sends(
            f'{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"mistral://models/{"x" * (BODY - 1000)}"}}}}'
        ),
        "prompt of the menu": sends(
            '{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"review_code","arguments":{"code":'
            + text[:4_000_000]
            + '"}}}'
        ),
        "ids of 50 kB": long_ids,
        "methods": invented_methods,
        "unfinished bodies": unfinished_bodies,
        "unread answers": unread_answers,
        "idle connections": idle_connections,
    }


class Watch:
    """What others see meanwhile."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ended = threading.Event()
        self.gap = 0.0
        self.call = 0.0
        self.failed = 0

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._probe), threading.Thread(target=self._call)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _probe(self) -> None:
        last = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=ANSWER_WITHIN)
        while not self._ended.wait(PROBE_EVERY):
            try:
                connection.request("GET", "/healthz")
                connection.getresponse().read()
            except OSError:
                self.failed += 1
                connection.close()
            now = time.monotonic()
            self.gap = max(self.gap, now - last - PROBE_EVERY)
            last = now
        connection.close()

    def _call(self) -> None:
        body = call("mistral_chat", '{"prompt": "Hello"}')
        while not self._ended.wait(PROBE_EVERY):
            began = time.monotonic()
            if not self._server.post(body, key="tenant-0123456789abc"):
                self.failed += 1
            self.call = max(self.call, time.monotonic() - began)


@contextmanager
def product(folder: str, log: IO[bytes] | None = None) -> Iterator[Server]:
    """The sandbox and `serve` on top of it."""
    mistral, port = _free_port(), _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MISTRAL_")}
    environment |= {"MISTRAL_MCP_ROUTE": f"http://127.0.0.1:{mistral}", "MISTRAL_MCP_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "mistral_mcp"]
    # What Mistral would work is not ours.
    upstream = ["nice", "-n", "15", *command, "sandbox", "--port", str(mistral)]
    serve = [*command, "serve", "--port", str(port), "--data-dir", folder]
    with (
        subprocess.Popen(upstream, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one,  # noqa: S603
        subprocess.Popen(serve, env=environment, stderr=log) as two,  # noqa: S603
    ):
        try:
            for number in (mistral, port):
                _wait_for(number)
            yield Server(port, two.pid)
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


def main(names: list[str]) -> int:
    exceeded = 0
    with tempfile.TemporaryDirectory() as folder, product(folder) as server:
        body = call("mistral_chat", '{"prompt": "Hello"}')
        for _ in range(30):
            server.post(body)
        print(
            f"{'attack':26} {'gap s':>7} {'call s':>7} {'MB':>7} {'took s':>7}  idle: {server.memory('VmRSS'):.0f} MB"
        )
        for name, attack in attacks().items():
            if names and name not in names:
                continue
            server.forget_peak()
            idle, began = server.memory("VmRSS"), time.monotonic()
            with Watch(server) as watch:
                attack(server)
                took = time.monotonic() - began
                time.sleep(0.3)
            memory = server.memory("VmHWM") - idle
            held = watch.gap <= LIMITS["gap"] and watch.call <= LIMITS["call"] and memory <= LIMITS["memory"]
            exceeded += not (held and watch.failed == 0)
            verdict = "" if held else "  EXCEEDED"
            verdict += f"  {watch.failed} FAILED" if watch.failed else ""
            print(f"{name:26} {watch.gap:7.2f} {watch.call:7.2f} {memory:7.0f} {took:7.1f}{verdict}", flush=True)
    print(
        f"{exceeded} of these exceed {LIMITS['gap']} s or {LIMITS['memory']:.0f} MB." if exceeded else "All hold."
    )
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
