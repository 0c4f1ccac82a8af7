"""The conformance suite's authorization scenarios against `serve` with hosting: `python authorization.py CONFORMANCE`.

CONFORMANCE is the suite's program. A person's browser is played here: the URL that the suite prints is opened, the consent
page is filled in, and its answer leads to the suite's own callback. Exits as the suite does.
"""

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin

import anyio
import httpx2
from anyio.streams.text import TextReceiveStream

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Sandbox, serve_app
from tests.conftest import KEY, serving

URL = re.compile(r"http://127\.0\.0\.1:\d+/authorize\?\S+")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


async def agree(url: str) -> None:
    """As a person does it."""
    async with httpx2.AsyncClient(timeout=30) as browser:
        page = await browser.get(url, follow_redirects=True)
        form = dict(re.findall(r'name="(stamp|request)" value="([^"]*)"', page.text))
        form |= {"access": "write", "decision": "allow", "api_key": KEY}
        answer = await browser.post(urljoin(str(page.url), "/consent"), data=form)
        await browser.get(answer.headers["location"])


async def run(conformance: str, base: str) -> int:
    port = free_port()
    async with httpx2.AsyncClient(base_url=base) as http:
        metadata = {
            "client_name": "Conformance",
            "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
            "token_endpoint_auth_method": "none",
        }
        client_id = (await http.post("/register", json=metadata)).json()["client_id"]
    command = [conformance, "authorization", "--url", base, "--client-id", client_id]
    command += ["--resource", f"{base}/mcp", "--port", str(port)]
    with anyio.fail_after(120):
        async with await anyio.open_process(command, stderr=subprocess.STDOUT) as process:
            assert process.stdout
            said = ""
            async for text in TextReceiveStream(process.stdout):
                said += text
                print(text, end="", flush=True)  # noqa: T201
                # The URL is whole once what comes after it was printed.
                if (found := URL.search(said)) and said[found.end() :].strip():
                    said = ""
                    await agree(found[0])
            return await process.wait()


async def main(conformance: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with serve_app(Sandbox()) as mistral:
            settings = Settings.model_validate(
                {"route": mistral, "data_dir": Path(folder) / "data", "log_level": "WARNING"}
            )
            async with serving(create_app(settings)) as base:
                return await run(conformance, base)


if __name__ == "__main__":
    sys.exit(anyio.run(main, sys.argv[1]))
