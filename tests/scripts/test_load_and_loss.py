"""The proof under load finds what it is there to find."""

import httpx2
import pytest
from starlette.datastructures import QueryParams

from mistral_mcp.sandbox import Received, Sandbox
from scripts.load_and_loss.__main__ import KEY, check_upstream
from scripts.load_and_loss.load import Load


def request(number: int, mark: str, path: str = "/v1/chat/completions", status: int = 200) -> Received:
    headers = {"authorization": f"Bearer {KEY.format(number)}"}
    received = Received("POST", path, QueryParams(), headers, mark.encode())
    received.status = status
    return received


@pytest.mark.parametrize(
    ("requests", "failing"),
    [
        ([request(7, "tenant-007-call-1")], set()),
        ([request(8, "tenant-007-call-1")], {"requests under another tenant's key"}),
        ([], {"answered, and never done"}),
        ([request(7, "tenant-007-call-1", status=500)], {"answered, and never done"}),
        ([request(7, "tenant-007-call-1", "/v1/files")] * 2, {"uploads that were stored twice"}),
    ],
)
async def test_a_fault_fails_the_proof(requests: list[Received], failing: set[str]):
    sandbox = Sandbox()
    sandbox.requests.extend(requests)
    async with httpx2.AsyncClient() as client:
        load = Load([], client)
        load.ledger.answered["tenant-007-call-1"] = "mistral_chat"

        rows = check_upstream(sandbox, load)

    assert {name for name, _, good in rows if not good} == failing
