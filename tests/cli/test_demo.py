"""`mistral-mcp demo`, in a process of its own, as a person runs it."""

import os
import shlex
import sys
from itertools import chain
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest

from mistral_mcp import tools
from mistral_mcp.sandbox import Sandbox, serve_app

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
    stdio, http = (
        next(n for n, line in enumerate(lines) if line.startswith(kind)) for kind in ("stdio (", "HTTP (")
    )
    offered = {tool.name for tool in chain.from_iterable(map(tools.build, tools.DEFAULT))}
    for part in (lines[stdio:http], lines[http:]):
        called = {line.split()[0] for line in part if line.startswith("mistral_")}
        assert called == offered
    # The end of an answer that was only ever shown as it was streamed.
    assert "That is all there is to say about it." in text
    assert " in 0 reports" not in text
    end = " ".join(lines[-7:])
    assert "What next: create a key" in end
    assert "Every call was answered" in end
    assert "MCP 2026-07-28" in end


async def test_with_a_key_the_demo_goes_to_mistral_and_a_refused_key_ends_it_in_a_sentence_that_does_not_name_it():
    sandbox = Sandbox()
    async with serve_app(sandbox) as url:
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


@pytest.mark.parametrize(
    "network",
    [
        {"HTTPS_PROXY": "127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"},
        {"SSLKEYLOGFILE": "/nonexistent/keys", "SSL_CERT_FILE": "/nonexistent"},
    ],
    ids=["proxies", "certificates"],
)
async def test_the_demo_works_behind_any_network_setting_and_touches_nothing_of_the_user_s(
    tmp_path: Path, network: dict[str, str]
):
    operator_s = {"MISTRAL_MCP_DATA_DIR": str(tmp_path / "vault"), "MISTRAL_MCP_BYOK": "false"}
    sandbox = Sandbox()
    async with serve_app(sandbox) as url:
        with_key = {"MISTRAL_API_KEY": "tEsTkEy0123456789", "MISTRAL_MCP_ROUTE": url, **operator_s}
        shown = [
            await demo(HOME=str(tmp_path), **network),
            *([await demo(HOME=str(tmp_path), **network, **with_key)] if "HTTP_PROXY" in network else []),
        ]

    assert [done.returncode for done in shown] == [0] * len(shown), shown[-1].stdout.decode()[-1000:]
    assert all("What next:" in done.stdout.decode() for done in shown)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - nothing else runs
