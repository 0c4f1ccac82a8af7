"""Two hundred tenants that call tools and change their connections, and the answers that they received."""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import httpx2

from scripts.load_and_loss.services import Replica

TOOLSETS = ("core", "files")
ERA = "2026-07-28"
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": ERA,
    "io.modelcontextprotocol/clientCapabilities": {},
}
MARK = re.compile(r"tenant-(\d{3})-call-(\d+)")
OK, NO_CONTENT, UNAUTHORIZED, UNAVAILABLE = 200, 204, 401, 503


@dataclass
class Tenant:
    """One connection, with the changes that were acknowledged."""

    number: int
    key: str
    token: str = ""
    label: str = ""
    calls: int = 0
    old_tokens: list[str] = field(default_factory=list[str])
    revoked: bool = False
    uncertain: bool = False
    """Whether a change was in flight when its replica died: it may have been done or not."""
    token_uncertain: bool = False
    """Whether a rotation had no answer, and may have replaced the token."""

    @property
    def address(self) -> str:
        return f"10.0.{self.number}.1"

    def mark(self) -> str:
        """A text that identifies this tenant and its next call."""
        self.calls += 1
        return f"tenant-{self.number:03d}-call-{self.calls}"


@dataclass
class Ledger:
    """The answers, and their times."""

    answered: dict[str, str] = field(default_factory=dict[str, str])
    uploads: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    good_at: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    bad_at: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    slowest: float = 0.0


class Load:
    """Tenants that send requests to random replicas, one request of each tenant at a time."""

    def __init__(self, replicas: Sequence[Replica], client: httpx2.AsyncClient) -> None:
        self._replicas = replicas
        self._client = client
        self.ledger = Ledger()

    async def sign_up(self, tenant: Tenant, replica: int = 0) -> bool:
        """Create the tenant's connection; return whether it was acknowledged."""
        label = f"tenant {tenant.number}"
        asked = {"api_key": tenant.key, "label": label, "toolsets": list(TOOLSETS)}
        reply = await self._send(tenant, replica, "POST", "/connections", json=asked)
        if reply is None or not reply.is_success:
            return False
        tenant.token, tenant.label = reply.json()["token"], label
        return True

    async def take_turn(self, tenant: Tenant, turn: int) -> None:
        """Do one of the things that tenants do, mostly a tool call."""
        replica = (tenant.number + turn) % len(self._replicas)
        match (tenant.number + turn) % 12:
            case 0:
                await self._upload(tenant, replica)
            case 1:
                await self._relabel(tenant, replica)
            case 2 if tenant.number % 4 == 0:
                await self._rotate(tenant, replica)
            case 3 | 4:
                await self._call(tenant, replica, "mistral_embed", {"inputs": [tenant.mark()]}, in_text=False)
            case 5:
                functions = [
                    {"name": "note", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}
                ]
                asked = {"prompt": f"Note {tenant.mark()}", "functions": functions}
                await self._call(tenant, replica, "mistral_function_call", asked)
            case 6 | 7:
                await self._call(
                    tenant, replica, "mistral_chat", {"prompt": f"Write {tenant.mark()}"}, streamed=True
                )
            case _:
                await self._call(tenant, replica, "mistral_chat", {"prompt": tenant.mark()})

    async def revoke(self, tenant: Tenant, replica: int) -> None:
        reply = await self._change(tenant, replica, "DELETE", "/connections/current")
        if reply is not None and reply.is_success:
            tenant.revoked = True

    async def status_of(self, tenant: Tenant, token: str, replica: int) -> int:
        """The status of `tools/list` with this token."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
        headers = {"mcp-method": "tools/list", **_mcp_headers()}
        reply = await self._send(tenant, replica, "POST", f"/c/{token}/mcp", json=asked, headers=headers)
        return reply.status_code if reply is not None else 0

    async def label_of(self, tenant: Tenant, replica: int) -> str:
        headers = {"x-api-key": tenant.token}
        reply = await self._send(tenant, replica, "GET", "/connections/current", headers=headers)
        return reply.json().get("label") if reply is not None and reply.is_success else ""

    async def _upload(self, tenant: Tenant, replica: int) -> None:
        mark = tenant.mark()
        asked = {"filename": f"{mark}.txt", "purpose": "ocr", "content": mark}
        result = await self._call(tenant, replica, "mistral_upload_file", asked)
        if result is not None:
            self.ledger.uploads[mark] = (tenant.number, result["structuredContent"]["id"])

    async def _relabel(self, tenant: Tenant, replica: int) -> None:
        label = tenant.mark()
        reply = await self._change(tenant, replica, "PATCH", "/connections/current", json={"label": label})
        if reply is not None and reply.is_success:
            tenant.label = label

    async def _rotate(self, tenant: Tenant, replica: int) -> None:
        reply = await self._change(tenant, replica, "POST", "/connections/current/rotate")
        if reply is None or reply.status_code == UNAVAILABLE:
            tenant.token_uncertain = True
        elif reply.is_success:
            tenant.old_tokens.append(tenant.token)
            tenant.token = reply.json()["token"]
            tenant.token_uncertain = False

    async def _change(
        self, tenant: Tenant, replica: int, method: str, path: str, **more: Any
    ) -> httpx2.Response | None:
        """Change the connection. Without an answer, or with a 503, it is uncertain whether the change was made."""
        headers = {"x-api-key": tenant.token}
        reply = await self._send(tenant, replica, method, path, headers=headers, **more)
        if reply is None or reply.status_code == UNAVAILABLE:
            tenant.uncertain = True
        elif not reply.is_success and not (tenant.token_uncertain and reply.status_code == UNAUTHORIZED):
            self.ledger.wrong.append(f"{method} {path}: {reply.status_code} for a connection that is good")
        return reply

    async def _call(
        self,
        tenant: Tenant,
        replica: int,
        tool: str,
        arguments: dict[str, Any],
        *,
        streamed: bool = False,
        in_text: bool = True,
    ) -> dict[str, Any] | None:
        """Call a tool; return the result, None if it failed."""
        asked_for = f"tenant-{tenant.number:03d}-call-{tenant.calls}"
        meta = {**META, "progressToken": 1} if streamed else META
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"mcp-method": "tools/call", "mcp-name": tool, **_mcp_headers()}
        path = f"/c/{tenant.token}/mcp"
        reply = await self._send(tenant, replica, "POST", path, json=asked, headers=headers)
        if reply is None or reply.status_code == UNAVAILABLE:
            return None
        if reply.status_code != OK:
            if not tenant.uncertain:
                self.ledger.wrong.append(f"{tool}: {reply.status_code} for a connection that is good")
            return None
        result = _result_of(reply)
        if result is None or result.get("isError"):
            self.ledger.outcomes["failed in a sentence"] += 1
            return None
        self.ledger.outcomes["answered"] += 1
        self.ledger.answered[asked_for] = tool
        foreign = {found[0] for found in MARK.finditer(reply.text)} - {asked_for}
        if foreign:
            self.ledger.wrong.append(f"{asked_for} was answered with {', '.join(sorted(foreign))}")
        if in_text and asked_for not in reply.text:
            self.ledger.wrong.append(f"{asked_for} was answered with something else")
        return result

    async def _send(
        self,
        tenant: Tenant,
        replica: int,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx2.Response | None:
        """The answer, None if there was none. If a replica does not accept connections, the other is used, as by a load balancer."""
        asked = {"headers": {"x-forwarded-for": tenant.address, **(headers or {})}, **more}
        for number in (replica, *(other for other in range(len(self._replicas)) if other != replica)):
            try:
                return await self._send_to(number, method, path, asked)
            except httpx2.ConnectError:
                self.ledger.bad_at.setdefault(number, []).append(time.monotonic())
                self.ledger.outcomes["refused connections"] += 1
        return None

    async def _send_to(
        self, replica: int, method: str, path: str, asked: dict[str, Any]
    ) -> httpx2.Response | None:
        began = time.monotonic()
        reply = None
        try:
            reply = await self._client.request(method, f"{self._replicas[replica].url}{path}", **asked)
        except httpx2.ConnectError:
            raise
        except httpx2.TransportError as error:
            self.ledger.outcomes[f"cut off ({type(error).__name__})"] += 1
        self.ledger.slowest = max(self.ledger.slowest, time.monotonic() - began)
        is_good = reply is not None and reply.status_code != UNAVAILABLE
        times = self.ledger.good_at if is_good else self.ledger.bad_at
        times.setdefault(replica, []).append(time.monotonic())
        if reply is not None and reply.is_server_error:
            self._note_failure(method, path, reply)
        return reply

    def _note_failure(self, method: str, path: str, reply: httpx2.Response) -> None:
        """A 503 is expected while the vault is unavailable. Any other failure is wrong."""
        if reply.status_code == UNAVAILABLE:
            self.ledger.outcomes["503"] += 1
        else:
            self.ledger.wrong.append(f"{method} {path[:3]}…: {reply.status_code} {reply.text[:100]}")


async def run_for(seconds: float, load: Load, tenants: Sequence[Tenant], workers: int) -> None:
    """Let the tenants take turns for this many seconds."""
    end = time.monotonic() + seconds
    waiting = list(tenants)
    turns: Counter[int] = Counter()

    async def work() -> None:
        while time.monotonic() < end and waiting:
            tenant = waiting.pop(0)
            turns[tenant.number] += 1
            await load.take_turn(tenant, turns[tenant.number])
            waiting.append(tenant)
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(work)


def _mcp_headers() -> dict[str, str]:
    return {"accept": "application/json, text/event-stream", "mcp-protocol-version": ERA}


def _result_of(reply: httpx2.Response) -> dict[str, Any] | None:
    """The result of a call, from a body or from the last event of a stream."""
    text = reply.text
    if reply.headers.get("content-type", "").startswith("text/event-stream"):
        events = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
        text = events[-1] if events else "{}"
    message = cast("dict[str, Any]", json.loads(text))
    return message.get("result")
