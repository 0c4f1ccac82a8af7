"""The attacks: requests of the largest size that the bounds allow, or larger."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from scripts.isolation.product import ANSWER_WITHIN, ATTACKER, BODY, NEW, OLD, PATH, Server, call, send

Attack = Callable[[Server], None]

LARGE_FILE = 31 * 1024 * 1024


def repeat(piece: str, times: int) -> str:
    """A JSON list with this many copies."""
    return "[" + ",".join([piece] * times) + "]"


def fill(piece: str) -> str:
    """A JSON list with as many copies as fit into a body."""
    return repeat(piece, (BODY - 500) // (len(piece) + 1))


def newer(tool: str, arguments: str) -> bytes:
    """The same call in protocol version 2026-07-28."""
    about: dict[str, object] = {
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return call(tool, arguments).replace(b'"params":{', f'"params":{{"_meta":{json.dumps(about)},'.encode())


def request(method: str, params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def send_at_once(body: str | bytes, version: str = OLD, times: int = 1) -> Attack:
    """An attack that sends this many copies of the request at the same time."""
    raw = body.encode() if isinstance(body, str) else body

    def attack(server: Server) -> None:
        run_at_once([lambda: server.post(raw, version) for _ in range(times)])

    return attack


def run_at_once(actions: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ANSWER_WITHIN)


def unfinished_bodies(server: Server) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Mistral-Api-Key: {ATTACKER}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"
    held = [server.connect() for _ in range(20)]
    run_at_once([lambda each=each: _send_some(each, head.encode() + b" " * (BODY - 1)) for each in held])
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
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Mistral-Api-Key: {ATTACKER}\r\n"
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


def large_file(server: Server) -> None:
    """A binary file, which its owner reads four times at once."""
    key = f"{ATTACKER}-{time.monotonic_ns()}"
    read = _upload_large_file(server, key, b"\xff\xfe\x00m")
    run_at_once([lambda: server.post(read, key=key)] * 4)


def large_files_of_several(server: Server) -> None:
    """Text files, which have to be decoded, read by six owners at once."""
    keys = [f"{ATTACKER}-{time.monotonic_ns()}-{number}" for number in range(6)]
    reads = [(_upload_large_file(server, key, b"text"), key) for key in keys]
    run_at_once([partial(server.post, read, key=key) for read, key in reads])


def hostile_search(server: Server) -> None:
    """A search in a long text for a phrase that almost matches everywhere."""
    key = f"{ATTACKER}-{time.monotonic_ns()}"
    read = server.post(_upload_large_file(server, key, b"aaaa"), key=key)
    handle = re.findall(rb"kr_[\w-]+", read)[0].decode()
    search = call("mistral_read_result", json.dumps({"handle": handle, "search": "a" * 199 + "b"}))
    run_at_once([lambda: server.post(search, key=key)] * 4)


def _upload_large_file(server: Server, key: str, content: bytes) -> bytes:
    """Upload a file as large as the sandbox accepts, and return a call that reads it."""
    boundary = "file-of-the-attacker"
    parts = (
        'Content-Disposition: form-data; name="purpose"\r\n\r\nocr',
        'Content-Disposition: form-data; name="file"; filename="large.pdf"\r\nContent-Type: application/pdf\r\n\r\n',
    )
    head = "".join(f"--{boundary}\r\n{part}" + "\r\n" * (number == 0) for number, part in enumerate(parts))
    body = head.encode() + content * (LARGE_FILE // len(content)) + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    file_id = json.loads(server.ask_mistral("/v1/files", headers, body))["id"]
    return call("mistral_download_file", json.dumps({"file_id": file_id}))


def other_paths(server: Server) -> None:
    """The pages' forms and endpoints, each with a body of the largest size."""
    paths = (
        "/connections",
        "/register",
        "/token",
        "/revoke",
        "/authorize",
        "/manage",
        "/connections/current/rotate",
    )
    kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
    bodies = (fill("{}").encode(), b"a=1&" * (BODY // 4), b"--x\r\n\r\n" * (BODY // 7))
    for path in paths:
        posts = [
            partial(send, server.port, "POST", path, {"Content-Type": kind}, body)
            for kind, body in zip(kinds, bodies, strict=True)
        ]
        run_at_once(posts)


def attacks() -> dict[str, Attack]:
    return {**_messages(), **_texts(), **_vectors(), **_schemas(), **_sockets()}


def _messages() -> dict[str, Attack]:
    """JSON that is expensive to parse: first beyond the bounds, then within them."""
    turn = json.dumps({"role": "user", "content": "a" * 700})
    members = ",".join(f'"{number}":1' for number in range(74_000))
    short = json.dumps({"role": "user", "content": "a"})
    operation = f'{{"operation": "chat.complete", "body": {{"model": "m", "messages": {repeat(short, 10_000)}}}}}'
    return {
        "messages, empty": send_at_once(call("mistral_chat", f'{{"messages": {fill("{}")}}}')),
        "messages, too many": send_at_once(
            call("mistral_chat", f'{{"messages": {repeat("{}", 74_000)}}}'), times=4
        ),
        "messages, 10,000 empty": send_at_once(
            call("mistral_chat", f'{{"messages": {repeat("{}", 10_000)}}}'), times=8
        ),
        "messages, 10,000 turns": send_at_once(
            call("mistral_chat", f'{{"messages": {repeat(turn, 10_000)}}}'), times=3
        ),
        "stop": send_at_once(call("mistral_chat", f'{{"prompt": "x", "stop": {repeat("1", 149_000)}}}'), times=4),
        "floats": send_at_once(call("mistral_chat", f'{{"stop": {repeat("1.5", 149_000)}}}'), times=4),
        "many members": send_at_once(call("mistral_chat", f"{{{members}}}"), times=4),
        "unknown argument": send_at_once(call("mistral_chat", f'{{"zz": {repeat("[]", 74_000)}}}'), times=4),
        "nested": send_at_once(call("mistral_chat", '{"json_schema": ' + '{"a":' * 4000 + "1" + "}" * 4001)),
        "not closed": send_at_once(b"[" * BODY),
        "body of an operation": send_at_once(call("mistral_api_read", operation), times=3),
        "other paths": other_paths,
    }


def _texts() -> dict[str, Attack]:
    text = json.dumps("x" * (BODY - 1000))
    uri = "mistral://models/" + "x" * (BODY - 1000)
    prompt = {"name": "review_code", "arguments": {"code": "x" * 4_000_000}}
    return {
        "name of a tool": send_at_once(call("x" * (BODY - 1000), "{}")),
        "name of a method": send_at_once(f'{{"jsonrpc":"2.0","id":1,"method":"{"x" * (BODY - 1000)}"}}'),
        "id": send_at_once(f'{{"jsonrpc":"2.0","id":"{"x" * (BODY - 1000)}","method":"ping"}}'),
        "ids of 50 kB": long_ids,
        "resource": send_at_once(request("resources/read", {"uri": uri})),
        "prompt of the menu": send_at_once(request("prompts/get", prompt)),
        "prompt": send_at_once(call("mistral_chat", f'{{"prompt": {text}}}')),
        "prompt, 2026": send_at_once(newer("mistral_chat", f'{{"prompt": {text}}}'), NEW),
        "prompt, escapes": send_at_once(call("mistral_chat", '{"prompt": "' + "\\n" * (BODY // 2 - 500) + '"}')),
        "prompt, surrogates": send_at_once(
            call("mistral_chat", '{"prompt": "' + "\\ud83d" * (BODY // 6 - 500) + '"}')
        ),
        "prompt, 12 at once": send_at_once(call("mistral_chat", f'{{"prompt": {text}}}'), times=12),
        "file of 31 MB, four times": large_file,
        "files of 31 MB, six keys": large_files_of_several,
        "search in 31 MB, four times": hostile_search,
    }


def _vectors() -> dict[str, Attack]:
    text, pair = '"a"', '"a b"'
    most = repeat(text, 64)  # vectors of 1,024 numbers that come inline
    return {
        "embed, too many": send_at_once(call("mistral_embed", f'{{"inputs": {repeat(text, 20_000)}}}')),
        "embed, kept": send_at_once(call("mistral_embed", f'{{"inputs": {repeat(text, 16_000)}}}')),
        "embed, inline": send_at_once(
            call("mistral_embed", f'{{"inputs": {most}, "output": "inline"}}'), times=20
        ),
        "embed, inline, 2026": send_at_once(
            newer("mistral_embed", f'{{"inputs": {most}, "output": "inline"}}'), NEW, times=20
        ),
        "rank": send_at_once(call("mistral_rank", f'{{"query": "a", "documents": {repeat(pair, 16_000)}}}')),
        "moderate": send_at_once(call("mistral_moderate", f'{{"inputs": {repeat(text, 512)}}}'), times=8),
        "unread answers": unread_answers,
    }


def _schemas() -> dict[str, Attack]:
    chain = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
    schemas = {
        "chain": {"$defs": {**chain, "a60": {}}, "$ref": "#/$defs/a0"},
        "pattern": {"type": "string", "pattern": "(a|a)*" * 50 + "$"},
        "all of": {"allOf": [{"minLength": 1}] * 4_900},
    }
    row = json.dumps({"body": {"a": 1}})
    small = json.dumps({"name": "f", "parameters": {"allOf": [{}] * 350}})
    functions = ",".join(small.replace('"f"', f'"f{number}"', 1) for number in range(128))
    rows = {
        "128 schemas": send_at_once(
            call("mistral_function_call", f'{{"prompt": "x", "functions": [{functions}]}}'), times=4
        ),
        "batch requests": send_at_once(
            call("mistral_create_batch_job", f'{{"model": "m", "requests": {repeat(row, 10_000)}}}')
        ),
    }
    for name, schema in schemas.items():
        asked = {"prompt": "x", "json_schema": schema}
        rows[f"schema, {name}"] = send_at_once(call("mistral_chat", json.dumps(asked)), times=4)
        read = {"document": "https://example.com/a.pdf", "json_schema": schema}
        rows[f"schema, {name}, OCR"] = send_at_once(call("mistral_ocr", json.dumps(read)), times=4)
        rows[f"schema, {name}, stored"] = send_at_once(
            call("mistral_start_conversation", json.dumps(asked)), times=4
        )
    return rows


def _sockets() -> dict[str, Attack]:
    return {
        "methods": invented_methods,
        "unfinished bodies": unfinished_bodies,
        "idle connections": idle_connections,
    }
