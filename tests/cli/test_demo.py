"""`mistral-mcp demo`, in a process of its own, as a person runs it."""

import os
import shlex
import sys
from subprocess import CompletedProcess

import anyio

from mistral_mcp import tools
from mistral_mcp.sandbox import Sandbox, listening

SECRET = "invalid-3kD9xQ2mVt7LpR4w"  # the sandbox refuses keys that begin so
COLUMNS = 80


async def demo(**environ: str) -> CompletedProcess[bytes]:
    with anyio.fail_after(60):
        return await anyio.run_process(
            [sys.executable, "-m", "mistral_mcp", "demo"], check=False, env={"COLUMNS": str(COLUMNS), **environ}
        )


async def test_without_a_key_the_demo_says_first_that_the_sandbox_answers_then_shows_every_tool_on_both_transports():
    shown = await demo()

    assert (shown.returncode, shown.stderr) == (0, b"")
    text = shown.stdout.decode()
    lines = text.splitlines()
    assert "no MISTRAL_API_KEY" in lines[0]
    assert "sandbox" in lines[0]
    assert max(map(len, lines)) <= COLUMNS
    stdio, http = (next(n for n, line in enumerate(lines) if line.startswith(kind)) for kind in ("stdio (", "HTTP ("))
    built = tools.build_all()
    offered = {tool.name for toolset in tools.DEFAULT for tool in built[toolset]}
    for part in (lines[stdio:http], lines[http:]):
        called = {line.split()[0] for line in part if line.startswith("mistral_")}
        assert called == offered
    # The end of an answer that was only ever shown as it was streamed.
    assert "That is all there is to say about it." in text
    assert " in 0 reports" not in text
    end = " ".join(lines[-3:])
    assert "Every call was answered" in end
    assert "MCP 2026-07-28" in end


async def test_with_a_key_the_demo_goes_to_mistral_and_a_refused_key_ends_it_in_a_sentence_that_does_not_name_it():
    sandbox = Sandbox()
    async with listening(sandbox) as url:
        shown = await demo(MISTRAL_API_KEY=SECRET, MISTRAL_MCP_ROUTE=url)

    assert [request.key for request in sandbox.requests] == [SECRET]
    assert shown.returncode == 1
    text = shown.stdout.decode()
    assert "your MISTRAL_API_KEY" in text.splitlines()[0]
    assert "cost" in text
    assert "The demo failed. mistral_chat over stdio" in " ".join(text.split())
    assert SECRET not in text
    assert "Traceback" not in text + shown.stderr.decode()


async def test_nobody_who_stops_reading_sees_a_traceback():
    piped = f"{shlex.quote(sys.executable)} -m mistral_mcp demo | head -1"
    with anyio.fail_after(60):
        shown = await anyio.run_process(piped, env={"COLUMNS": str(COLUMNS), "PATH": os.defpath})

    assert len(shown.stdout.splitlines()) == 1
    assert shown.stderr == b""


async def test_a_server_that_does_not_start_is_shown_with_what_it_logged():
    shown = await demo(MISTRAL_API_KEY=SECRET, MISTRAL_MCP_ROUTE="nowhere")

    assert shown.returncode == 1
    text = " ".join(shown.stdout.decode().split())
    assert "The demo failed." in text
    assert "MISTRAL_MCP_ROUTE cannot be used" in text
    assert "Traceback" not in text + shown.stderr.decode()
