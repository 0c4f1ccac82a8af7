"""What passes between a client and the server, seen from the server's side: what was listed and called, at which revision.

As a program it stands before the server's own, over stdio, and passes everything on: `python witness.py LOG COMMAND…`.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

Message = dict[str, Any]

_VERSION = "io.modelcontextprotocol/protocolVersion"


@dataclass(frozen=True, slots=True)
class Log:
    """A file with a line for each message."""

    file: Path

    def add(self, link: str, body: bytes, revision: str | None = None, credential: str | None = None) -> None:
        """`link` tells apart those whose ids may be the same. The rest is what headers say."""
        with self.file.open("a", encoding="utf-8") as out:
            for message in _messages(body):
                line = {"link": link, "message": message, "revision": revision, "credential": credential}
                out.write(json.dumps(line) + "\n")

    def seen(self) -> "Seen":
        seen, asked = Seen(), dict[tuple[str, Any], tuple[Message, str | None]]()
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        for line in lines:
            entry = json.loads(line)
            message: Message = entry["message"]
            if "method" in message:
                asked[entry["link"], message.get("id")] = message, entry["revision"]
                seen.credentials |= {entry["credential"]} - {None}
            elif found := asked.pop((entry["link"], message.get("id")), None):
                seen.add(*found, message)
        return seen


@dataclass(slots=True)
class Seen:
    tools: set[str] = field(default_factory=set[str])
    """Those listed."""
    called: dict[str, str] = field(default_factory=dict[str, str])
    """The tools called, and the last answer's text."""
    failed: dict[str, object] = field(default_factory=dict[str, object])
    """The same where the call failed."""
    revisions: set[str] = field(default_factory=set[str])
    """Those at which tools were listed and called."""
    credentials: set[str] = field(default_factory=set[str])
    """What HTTP requests carried beside their URL."""
    negotiated: str = "2025-03-26"
    """What a request has that names none."""

    def add(self, request: Message, revision: str | None, answer: Message) -> None:
        result: Message = answer.get("result", {})
        params: Message = request.get("params") or {}
        match request["method"]:
            case "initialize":
                self.negotiated = result.get("protocolVersion", self.negotiated)
                return
            case "tools/list":
                self.tools |= {tool["name"] for tool in result.get("tools", [])}
            case "tools/call":
                if "error" in answer or result.get("isError"):
                    self.failed[params["name"]] = answer.get("error") or result["content"]
                else:
                    self.called[params["name"]] = " ".join(part.get("text", "") for part in result["content"])
            case _:
                return
        self.revisions.add(params.get("_meta", {}).get(_VERSION) or revision or self.negotiated)


def _messages(body: bytes) -> Iterable[Message]:
    """Those in a body, which is JSON or an event stream."""
    text = body.decode(errors="replace").strip()
    for line in [text] if text.startswith(("{", "[")) else text.splitlines():
        with suppress(ValueError):
            found: object = json.loads(line.removeprefix("data:"))
            for message in cast("list[object]", found) if isinstance(found, list) else [found]:
                if isinstance(message, dict):
                    yield cast("Message", message)


def observe_server(log: Log, command: list[str]) -> int:
    """Run the server's program, and pass on what goes in and out."""
    link = str(os.getpid())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:  # noqa: S603
        assert server.stdin
        assert server.stdout
        threading.Thread(target=_pump, args=(sys.stdin.buffer, server.stdin, log, link), daemon=True).start()
        _pump(server.stdout, sys.stdout.buffer, log, link)
        return server.wait()


def _pump(source: IO[bytes], sink: IO[bytes], log: Log, link: str) -> None:
    with suppress(OSError):  # whoever listened is gone
        for line in source:
            log.add(link, line)
            sink.write(line)
            sink.flush()
        sink.close()


if __name__ == "__main__":
    sys.exit(observe_server(Log(Path(sys.argv[1])), sys.argv[2:]))
