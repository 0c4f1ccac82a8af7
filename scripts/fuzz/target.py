"""One target: generated requests to one place, and the checks of their answers."""

import http.client
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scripts.fuzz.surface import Request
from scripts.isolation.product import Server

LARGEST = 2 * 1024 * 1024
EXAMPLES = 12  # of each target in one turn
WITHIN = 30.0  # seconds for an answer
_FIRST_ADDRESS = int(IPv4Address("10.0.0.1"))
_NUMBERS = itertools.count()
SERVER_ERROR, UNAVAILABLE = 500, 503


class Finding(Exception):
    """A violation of the checks."""


@dataclass
class Target:
    """Requests to one place, and the statistics of their answers."""

    name: str
    requests: st.SearchStrategy[Any]
    send: Callable[[Any], tuple[int, bytes]]
    """Returns the status and the body; raises a `Finding`."""
    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter[str])
    slowest: float = 0.0
    largest: int = 0
    finding: str = ""

    def explore(self, start: int) -> None:
        @seed(f"{self.name} {start}")
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=cast("list[HealthCheck]", list(HealthCheck)),  # Hypothesis does not type this
            phases=[Phase.generate],  # shrinking takes minutes
        )
        @given(self.requests)
        def send(drawn: Any) -> None:
            self._send(drawn)

        try:
            send()
        except Exception as error:  # noqa: BLE001 - any error is a finding
            notes = " ".join(getattr(error, "__notes__", []))
            self.finding = f"{type(error).__name__}: {str(error)[:600]}\n    {notes[:1500]}"

    def _send(self, drawn: Any) -> None:
        began = time.monotonic()
        self.sent += 1
        status, answer = self.send(drawn)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.largest = max(self.largest, len(answer))
        self.statuses[str(status or "none")] += 1
        require(status < SERVER_ERROR or status == UNAVAILABLE, f"status {status}: {answer[:300]!r}")
        require(len(answer) <= LARGEST, f"an answer of {len(answer):,} bytes")
        require(b"Traceback" not in answer, answer[:300].decode(errors="replace"))

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} of {status}" for status, count in sorted(self.statuses.items()))
        verdict = "FAILED" if self.finding else ""
        return f"{self.name:42} {self.sent:6} {self.slowest:7.2f} {self.largest:9,}  {statuses} {verdict}".rstrip()


def require(condition: bool, what: str) -> None:  # noqa: FBT001 - as of an assert
    if not condition:
        raise Finding(what)


@dataclass(frozen=True)
class Answer:
    status: int
    """0 if there was no answer, or if no client can send the request."""
    body: bytes = b""
    location: str = ""
    """The Location header."""


def ask(server: Server, request: Request) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WITHIN)
    try:
        connection.putrequest(
            request.method, request.path, skip_host="Host" in request.headers, skip_accept_encoding=True
        )
        # Each from another address: a rate-limited one would get no other answers. Hypothesis seeds `random`.
        address = str(IPv4Address(_FIRST_ADDRESS + next(_NUMBERS)))
        for name, value in {"X-Forwarded-For": address, **request.headers}.items():
            connection.putheader(name, value.encode("utf-8", "replace"))
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.getheader("Location", ""))
    except (http.client.InvalidURL, ValueError):
        return Answer(0)
    except http.client.RemoteDisconnected:
        return Answer(0)
    finally:
        connection.close()


def exchange(server: Server, request: Request) -> tuple[int, bytes]:
    answer = ask(server, request)
    return answer.status, answer.body
