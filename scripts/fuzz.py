"""Sends generated requests to `serve`: its HTTP surface, its protocol, and every tool's arguments.

    .venv/bin/python -m scripts.fuzz [SECONDS]

Fails, and prints the request, where an answer is a 500 or larger than `LARGEST`, where a tool's answer is no
JSON-RPC message, or where the log has a traceback.
"""

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scripts.isolation.product import NEW, OLD, Server, product

LARGEST = 4 * 1024 * 1024
KEY = "fuzzing-0123456789"
EXAMPLES = 15  # of each target before the next one's turn

texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", " ", "\x00", "\ud83d", "%2f", "../..", "{}", "[]", "null", "mistral-small-latest", "9" * 400]
    ),
    st.text(min_size=1, max_size=3).map(lambda text: text * 500),
)
numbers = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, -1, 2**63, 1e308])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)

Check = Callable[[Server], None]


def from_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly values that fit, so that what stands behind the first check is reached too."""
    fitting: st.SearchStrategy[Any]
    match schema:
        case {"enum": list(values)}:
            fitting = st.sampled_from(values)
        case {"type": "string"}:
            fitting = texts
        case {"type": "integer"}:
            fitting = st.integers(schema.get("minimum", -5), schema.get("maximum", 10**6))
        case {"type": "number"}:
            fitting = st.floats(schema.get("minimum", -5), schema.get("maximum", 1e6))
        case {"type": "boolean"}:
            fitting = st.booleans()
        case {"type": "array", "items": dict(items)}:
            fitting = st.lists(from_schema(items), max_size=4)
        case {"type": "object", "properties": dict(properties)}:
            required = {name: from_schema(properties[name]) for name in schema.get("required", [])}
            others = {name: from_schema(each) for name, each in properties.items() if name not in required}
            fitting = st.fixed_dictionaries(required, optional=others)
        case _:
            fitting = anything
    return st.one_of(fitting, fitting, fitting, anything)


def exchange(server: Server, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode("utf-8", "replace"))
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Finding(Exception):
    """What must not be."""


def require(condition: bool, what: str) -> None:  # noqa: FBT001 - as of an assert
    if not condition:
        raise Finding(what)


def check_answer(status: int, answer: bytes) -> None:
    require(status < 500 or status == 503, f"status {status}: {answer[:300]!r}")  # noqa: PLR2004
    require(len(answer) <= LARGEST, f"an answer of {len(answer):,} bytes")


def post(server: Server, body: bytes, version: str, key: str = KEY) -> bytes:
    headers = {
        "X-Mistral-Api-Key": key,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "MCP-Protocol-Version": version,
    }
    status, answer = exchange(server, "POST", "/mcp?toolsets=all,fine_tuning", headers, body)
    check_answer(status, answer)
    return answer


def rpc(server: Server, method: str, params: Any, version: str = OLD) -> dict[str, Any]:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, ensure_ascii=True)
    return json.loads(post(server, body.encode(), version))


def tool_target(tool: dict[str, Any]) -> tuple[str, st.SearchStrategy[Any], Callable[[Server, Any], None]]:
    def send(server: Server, arguments: Any) -> None:
        answer = rpc(server, "tools/call", {"name": tool["name"], "arguments": arguments})
        require("result" in answer or "error" in answer, str(answer))
        text = json.dumps(answer)
        require("Error executing tool" not in text, text[:300])
        require("validation error" not in text, text[:300])
        require("Internal" not in json.dumps(answer.get("error", {})), text[:300])

    return tool["name"], from_schema(tool["inputSchema"]), send


def protocol_targets() -> Iterator[tuple[str, st.SearchStrategy[Any], Callable[[Server, Any], None]]]:
    methods = st.sampled_from(
        ["initialize", "ping", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/read",
         "resources/templates/list", "completion/complete", "logging/setLevel", "server/discover", "subscriptions/listen"]
    )  # fmt: skip
    yield (
        "protocol",
        st.tuples(
            st.one_of(methods, methods, texts), anything, st.sampled_from([OLD, NEW, "2025-03-26", "1999-01-01"])
        ),
        lambda server, drawn: rpc(server, *drawn).clear(),
    )
    yield (
        "messages",
        st.tuples(
            st.one_of(st.binary(max_size=200), anything.map(lambda value: json.dumps(value).encode())),
            st.just(OLD),
        ),
        lambda server, drawn: check_answer(200, post(server, *drawn)),
    )


def surface_target() -> tuple[str, st.SearchStrategy[Any], Callable[[Server, Any], None]]:
    printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
    paths = st.sampled_from(
        ["/", "/mcp", "/c/mmcp_x/mcp", "/connections", "/connections/current", "/connections/current/rotate", "/manage",
         "/connections/current/usage", "/healthz", "/readyz", "/metrics", "/privacy", "/terms", "/support", "/authorize",
         "/token", "/register", "/revoke", "/.well-known/oauth-protected-resource/mcp", "/static/page.css", "/u/x", "/results/x"]
    )  # fmt: skip
    names = st.sampled_from(
        ["Authorization", "X-API-Key", "X-Mistral-Api-Key", "Accept", "Content-Type", "Origin", "Host", "X-MCP-Toolsets",
         "X-MCP-Readonly", "Content-Encoding", "Cookie", "Range", "If-None-Match", "X-Forwarded-For", "MCP-Protocol-Version"]
    )  # fmt: skip
    values = st.one_of(
        printable,
        st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/html", "Bearer mmcp_x"]),
    )
    drawn = st.tuples(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "INVENTED"]),
        st.one_of(paths, st.tuples(paths, printable).map(lambda pair: f"{pair[0]}/{pair[1]}?{pair[1]}")),
        st.dictionaries(names, values, max_size=5),
        st.one_of(st.binary(max_size=200), anything.map(lambda value: json.dumps(value).encode())),
    )
    return "surface", drawn, lambda server, request: check_answer(*exchange(server, *request))


def explore(
    server: Server, strategy: st.SearchStrategy[Any], send: Callable[[Server, Any], None], start: int
) -> None:
    """Raises what the first request raised that fails."""

    @seed(start)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # to shrink takes minutes
    )  # fmt: skip
    @given(strategy)
    def target(drawn: Any) -> None:
        send(server, drawn)

    target()


def run(server: Server, seconds: float) -> int:
    listed = rpc(server, "tools/list", {})["result"]["tools"]
    targets = [surface_target(), *protocol_targets(), *map(tool_target, listed)]
    print(
        f"{len(listed)} tools, and {len(targets) - len(listed)} targets beside them, for {seconds:.0f} s",
        flush=True,
    )
    ends, rounds, failed = time.monotonic() + seconds, 0, dict[str, BaseException]()
    sent = 0
    while time.monotonic() < ends:
        for name, strategy, send in targets:
            if name in failed or time.monotonic() >= ends:
                continue

            try:
                explore(server, strategy, send, rounds)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                failed[name] = error
            sent += EXAMPLES
        rounds += 1
    for name, error in failed.items():
        print(
            f"\n{name}: {type(error).__name__}: {str(error)[:600]}\n{' '.join(getattr(error, '__notes__', []))[:1500]}"
        )
    print(f"\nsome {sent:,} requests in {rounds} rounds, {len(failed)} of {len(targets)} targets failed")
    return len(failed)


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stream, product(folder, stream) as server:
            failed = run(server, seconds)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    tracebacks = [number for number, line in enumerate(lines) if line.startswith("Traceback")]
    for number in tracebacks[:3]:
        print("\n".join(lines[max(number - 2, 0) : number + 60]))
    print(f"{len(tracebacks)} tracebacks in the log")
    return 1 if failed or tracebacks else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 120))
