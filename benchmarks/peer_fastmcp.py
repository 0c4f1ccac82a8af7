"""A peer: FastMCP generated from Mistral's OpenAPI file. Runs as a script in its own virtual environment."""

# FastMCP is not installed here, so its types are unknown.
# pyright: basic

import json
import sys
from pathlib import Path

import httpx2
from fastmcp import FastMCP  # type: ignore[import-not-found] - in its own environment

_, spec, upstream, *port = sys.argv
client = httpx2.AsyncClient(base_url=upstream, headers={"authorization": "Bearer key"})
server = FastMCP.from_openapi(json.loads(Path(spec).read_bytes()), client=client, name="peer")
if port:
    server.run(transport="http", port=int(port[0]), show_banner=False, log_level="ERROR")
else:
    server.run(show_banner=False)
