"""The peer that is one line: FastMCP made of Mistral's OpenAPI file. Runs in an environment of its own, as a file."""

# FastMCP is not installed here, so its types are unknown.
# pyright: basic

import json
import sys
from pathlib import Path

import httpx2
from fastmcp import FastMCP  # type: ignore[import-not-found] - installed apart

_, spec, upstream, *port = sys.argv
client = httpx2.AsyncClient(base_url=upstream, headers={"authorization": "Bearer key"})
server = FastMCP.from_openapi(json.loads(Path(spec).read_bytes()), client=client, name="peer")
if port:
    server.run(transport="http", port=int(port[0]), show_banner=False, log_level="ERROR")
else:
    server.run(show_banner=False)
