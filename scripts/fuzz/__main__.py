"""Run the targets in turn until the time is up, and print a row for each."""

import base64
import json
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from scripts.fuzz import signing_in, surface
from scripts.fuzz.surface import Known, Request
from scripts.fuzz.target import Target, exchange, require
from scripts.fuzz.values import anything, from_schema, texts
from scripts.isolation.product import NEW, OLD, Server, product

KEY = "fuzzing-0123456789"
PROTOCOL = (
    "initialize", "ping", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/read",
    "resources/templates/list", "completion/complete", "logging/setLevel", "server/discover", "subscriptions/listen",
    "notifications/cancelled", "tasks/get",
)  # fmt: skip


def post(server: Server, body: bytes, version: str = OLD, **headers: str) -> tuple[int, bytes]:
    sent = {
        "X-Mistral-Api-Key": KEY,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "MCP-Protocol-Version": version,
        **headers,
    }
    return exchange(server, Request("POST", "/mcp?toolsets=all,fine_tuning", sent, body))


def rpc(
    server: Server, method: str, params: Any, version: str = OLD, **headers: str
) -> tuple[int, bytes, dict[str, Any]]:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, ensure_ascii=True)
    status, answer = post(server, body.encode(), version, **headers)
    message = json.loads(answer)
    require("result" in message or "error" in message, str(message)[:300])
    return status, answer, message


def call_tool(server: Server, name: str, arguments: Any) -> tuple[int, bytes]:
    status, answer, message = rpc(server, "tools/call", {"name": name, "arguments": arguments})
    sent, text = json.dumps(arguments), json.dumps(message)
    error = json.dumps(message.get("error", {}))
    for words, place in (("Error executing tool", text), ("validation error", text), ("Internal", error)):
        # Hypothesis draws such words too, since this file has them, and errors quote the names of arguments.
        require(words in sent or words not in place, text[:300])
    return status, answer


def result_of(server: Server, name: str, arguments: Any, key: str = KEY) -> dict[str, Any]:
    headers = {"X-Mistral-Api-Key": key}
    message = rpc(server, "tools/call", {"name": name, "arguments": arguments}, **headers)[2]
    return message["result"].get("structuredContent", {})


def known_values(server: Server) -> dict[str, list[Any]]:
    """Existing ids and names, by the name of the parameter that takes them."""
    file = result_of(
        server, "mistral_upload_file", {"filename": "a.txt", "purpose": "ocr", "content": "Some text."}
    )
    library = result_of(server, "mistral_create_library", {"name": "One"})
    talk = result_of(server, "mistral_start_conversation", {"prompt": "Hello"})
    kept = result_of(server, "mistral_embed", {"inputs": ["a", "b"]})
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 60).decode()
    sources = [file.get("id"), f"data:image/png;base64,{image}", "https://example.com/a.pdf", "data:,x"]
    models = ["mistral-small-latest", "mistral-embed", "codestral-latest", "no-such-model"]
    return {
        "file_id": [file.get("id"), "no-such-file"],
        "document": sources,
        "images": sources,
        "documents": sources,
        "library_id": [library.get("id"), "no-such-library"],
        "conversation_id": [talk.get("conversation_id"), "no-such-conversation"],
        "handle": [kept["kept"]["handle"], "kr_" + "A" * 43],
        "model": models,
        "models": models,
        "operation": ["models.list", "chat.complete", "files.upload", "agents.create", "no.such"],
        "response_format": ["text", "json_object"],
        "page": [0, 1, 10**6],
    }


def known_things(server: Server, number: int) -> Known:
    """A connection, an OAuth client and handles, created for this round."""
    key = f"fuzzing-round-{number:06d}"  # of its own: one key has so many open upload links
    made = _json(server, "/connections", {"api_key": key})
    client = _json(server, "/register", {"redirect_uris": ["http://127.0.0.1/done"], "client_name": "A client"})
    kept = result_of(server, "mistral_embed", {"inputs": ["a", "b"]}, key)
    link = result_of(server, "mistral_request_upload", {"purpose": "ocr"}, key)
    handles = (kept["kept"]["handle"], link["handle"], link["upload_url"].rpartition("/")[2], made["token"])
    values = {
        "client_id": [client["client_id"]],
        "redirect_uri": ["http://127.0.0.1/done"],
        "response_type": ["code"],
        "code_challenge": ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
        "code_challenge_method": ["S256"],
        "grant_type": ["authorization_code", "refresh_token"],
        "token": [made["token"]],
        "api_key": ["fuzzing-another-0123"],
        "toolsets": ["core", "all"],
        "route": ["eu", "lava://byok", "cloudflare://a/b"],
    }
    return Known(made["token"], client["client_id"], handles, values)


def _json(server: Server, path: str, body: object) -> dict[str, Any]:
    request = Request("POST", path, {"Content-Type": "application/json"}, json.dumps(body).encode())
    return json.loads(exchange(server, request)[1])


def send_raw(server: Server, sent: bytes) -> tuple[int, bytes]:
    """Send bytes that may not be valid HTTP."""
    with server.connect() as connection:
        connection.settimeout(0.3)
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
        except OSError:
            return 0, b""
    status = answer[9:12]
    return int(status) if status.isdigit() else 0, answer


def raw_requests() -> st.SearchStrategy[bytes]:
    lines = st.sampled_from(
        [
            b"GET / HTTP/1.1",
            b"POST /mcp HTTP/1.1",
            b"GET / HTTP/9.9",
            b"GET  /",
            b"\x00 / HTTP/1.1",
            b"PRI * HTTP/2.0",
        ]
    )
    fields = st.sampled_from(
        [b"Host: localhost", b"Host:", b"Content-Length: -1", b"Content-Length: 5", b"Transfer-Encoding: chunked",
         b"Transfer-Encoding: gzip", b"A" * 9000, b": x", b"X\x00Y: z", b" folded", b"Connection: upgrade", b"Expect: x"]
    )  # fmt: skip
    bodies = st.one_of(st.binary(max_size=60), st.sampled_from([b"0\r\n\r\n", b"ffffffffff\r\n", b"5\r\nab"]))

    def build(line: bytes, heads: list[bytes], body: bytes) -> bytes:
        return b"\r\n".join([line, *heads]) + b"\r\n\r\n" + body

    return st.builds(build, lines, st.lists(fields, max_size=5), bodies)


def protocol_targets(server: Server) -> Iterator[Target]:
    methods = st.sampled_from(PROTOCOL)
    about: dict[str, object] = {
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = st.one_of(
        anything,
        st.dictionaries(
            st.sampled_from(["name", "arguments", "uri", "cursor", "ref", "argument", "_meta"]), anything
        ),
    )
    versions = st.sampled_from([OLD, NEW, "2025-03-26", "1999-01-01"])
    yield Target(
        "protocol: methods",
        st.tuples(st.one_of(methods, methods, texts), params, versions),
        lambda drawn: rpc(server, *drawn)[:2],
    )
    newer = st.tuples(methods, st.dictionaries(st.sampled_from(["name", "arguments", "uri"]), anything))
    yield Target(
        "protocol: 2026",
        newer,
        lambda drawn: rpc(server, drawn[0], {**drawn[1], "_meta": about}, NEW, **{"Mcp-Method": drawn[0]})[:2],
    )
    yield Target(
        "protocol: messages",
        st.one_of(st.binary(max_size=200), anything.map(lambda value: json.dumps(value).encode())),
        lambda drawn: post(server, drawn),
    )
    yield Target("HTTP: bytes", raw_requests(), lambda drawn: send_raw(server, drawn))


def tool_targets(server: Server) -> list[Target]:
    known = known_values(server)
    listed = rpc(server, "tools/list", {})[2]["result"]["tools"]
    targets: list[Target] = []
    for tool in listed:
        # Nothing is deleted that the other tools need.
        values = {} if tool["annotations"]["destructiveHint"] else known
        call = partial(call_tool, server, tool["name"])
        targets.append(Target(tool["name"], from_schema(tool["inputSchema"], values), call))
    return targets


def run(server: Server, seconds: float) -> list[Target]:
    ends, number = time.monotonic() + seconds, 0
    methods = surface.route_methods() | {"/*": ("GET", "POST")}
    paths = {path: Target(path, st.nothing(), lambda drawn: exchange(server, drawn)) for path in methods}
    targets = [*paths.values(), *protocol_targets(server), *signing_in.targets(server), *tool_targets(server)]
    while time.monotonic() < ends:
        known = known_things(server, number)
        for path, target in paths.items():
            target.requests = surface.requests_to(path, methods[path], known)
        for target in targets:
            if not target.finding and time.monotonic() < ends:
                target.explore(number)
        number += 1
    return targets


def main(seconds: float) -> int:
    warnings.simplefilter("ignore", HypothesisWarning)  # of how long a strategy is when it is written out
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = {"MISTRAL_MCP_TRUSTED_PROXIES": "127.0.0.1"}
        with log.open("wb") as stream, product(folder, stream, environment) as server:
            targets = run(server, seconds)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"{'target':42} {'sent':>6} {'slowest':>7} {'largest':>9}  answers")
    for target in targets:
        print(target)
    failed = [target for target in targets if target.finding]
    for target in failed:
        print(f"\n{target.name}: {target.finding}")
    tracebacks = [number for number, line in enumerate(lines) if line.startswith("Traceback")]
    for number in tracebacks[:3]:
        print("\n".join(lines[max(number - 2, 0) : number + 60]))
    unsent = [target.name for target in targets if not target.sent]
    sent = sum(target.sent for target in targets)
    print(f"\n{sent:,} requests to {len(targets)} targets in {seconds:.0f} s: ", end="")
    print(f"{len(failed)} failed, {len(tracebacks)} tracebacks in the log")
    if unsent:
        print(f"never reached: {', '.join(unsent)}")
    return 1 if failed or tracebacks else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 90))
