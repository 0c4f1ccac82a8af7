"""Serves the sandbox, and `serve` in front of it, for the conformance suite; writes the URLs of its endpoints to a file."""

import sys
import tempfile
from pathlib import Path

import anyio
import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.http.uvicorn_protocol import ClientProtocol
from mistral_mcp.sandbox import Sandbox, serve_app

KEY = "kEyOfConformance0123456789abcdef"


def add_key(app: ASGIApp) -> ASGIApp:
    """The suite sends no header of ours."""

    async def call_with_key(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (b"x-mistral-api-key", KEY.encode())]
        await app(scope, receive, send)

    return call_with_key


async def main(urls: Path, data_dir: Path) -> None:
    async with serve_app(Sandbox()) as mistral:
        settings = Settings.model_validate({"route": mistral, "data_dir": data_dir, "log_level": "WARNING"})
        async with (
            serve_app(create_app(settings), http=ClientProtocol) as hosted,
            serve_app(add_key(create_app(settings)), http=ClientProtocol) as keyed,
            httpx2.AsyncClient() as http,
        ):
            made = (await http.post(f"{hosted}/connections", json={"api_key": KEY})).json()
            await anyio.Path(urls).write_text(f"secret-url {made['url']}\nmcp {keyed}/mcp\n", encoding="utf-8")
            await anyio.sleep_forever()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(main, Path(sys.argv[1]), Path(folder))
