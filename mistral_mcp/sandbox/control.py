"""The control endpoints `/sandbox/…`, for tests that run the sandbox in another process. They need no key."""

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from mistral_mcp.sandbox.faults import Fault, FaultPlan
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.request import Received


class Controlled(Protocol):
    """The part of `Sandbox` that the control endpoints read and change."""

    @property
    def faults(self) -> FaultPlan: ...
    @property
    def requests(self) -> Iterable[Received]: ...
    @property
    def active(self) -> int: ...
    @property
    def peak(self) -> int: ...
    def reset(self) -> None:
        """Return to the initial state."""
        ...


def answer_control(sandbox: Controlled, request: Received) -> Reply:
    """Plan faults, list the received requests, or reset. 404 for any other path, 422 for faults that make no sense."""
    match (request.method, request.path):
        case ("POST", "/sandbox/faults"):
            try:
                faults = TypeAdapter(list[Fault]).validate_json(request.body)
            except ValidationError as wrong:
                return json_reply({"detail": wrong.errors(include_url=False, include_context=False)}, 422)
            sandbox.faults.extend(faults)
            return json_reply({"planned": len(sandbox.faults)})
        case ("GET", "/sandbox/requests"):
            arrived = [_describe_request(received) for received in sandbox.requests]
            return json_reply(
                {
                    "requests": arrived,
                    "active": sandbox.active,
                    "peak": sandbox.peak,
                }
            )
        case ("POST", "/sandbox/reset"):
            sandbox.reset()
            return json_reply({"planned": 0})
        case _:
            return json_reply(
                {"detail": "POST /sandbox/faults, GET /sandbox/requests or POST /sandbox/reset"}, 404
            )


def _describe_request(received: Received) -> dict[str, Any]:
    return {
        "method": received.method,
        "path": received.path,
        "query": dict(received.query),
        "headers": received.headers,
        "body": received.body.decode(errors="replace"),
        "key": received.key,
        "status": received.status,
        "disconnected": received.disconnected,
        "started": received.started,
        "finished": received.finished,
    }
