"""The whole app: concurrent callers with their own keys."""

import json
import logging

import anyio
import pytest
from mcp_types import TextResourceContents

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, connect_to


async def test_two_callers_interleaved_never_use_each_others_key(
    base: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = ["kEyOfAlice0123456789abcdefghijkl", "kEyOfBob000123456789abcdefghijkl"]

    async def calls(key: str) -> None:
        async with (
            connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": key}) as client,
            anyio.create_task_group() as group,
        ):
            for number in range(100):
                group.start_soon(client.call_tool, "mistral_chat", {"prompt": f"{key[5:8]} {number}"})

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for key in keys:
                group.start_soon(calls, key)

    assert len(sandbox.requests) == 200
    for request in sandbox.requests:
        assert request.key is not None
        assert request.json["messages"][0]["content"].startswith(request.key[5:8])
    assert not any(key in caplog.text for key in keys)


async def test_a_key_that_mistral_echoes_is_masked_everywhere(base: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(echo_key=True))
    sandbox.faults.append(
        Fault(status=200, body=json.dumps({"choices": [{"message": {"content": f"It is {KEY}."}}]}))
    )
    async with connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": KEY}) as client:
        failed = await client.call_tool("mistral_chat", {"prompt": "Hi"})
        answered = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    assert failed.is_error
    assert KEY not in failed.model_dump_json()
    assert not answered.is_error
    assert KEY not in answered.model_dump_json()
    assert "It is [masked]." in answered.model_dump_json()


async def test_calls_with_progress_and_without_are_calls_of_one_server(base: str) -> None:
    heard: list[float] = []

    async def hear(progress: float, *_: object) -> None:
        heard.append(progress)

    async with connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": KEY}) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hi"})
        await client.call_tool("mistral_chat", {"prompt": "Hi"}, progress_callback=hear)
        usage = await client.read_resource("mistral://usage")

    assert heard
    assert isinstance(usage.contents[0], TextResourceContents)
    assert json.loads(usage.contents[0].text)["today"]["calls"] == 2
