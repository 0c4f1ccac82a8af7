"""The baseline: a minimal server with one tool, written with the SDK and httpx2."""

import sys

import httpx2
import uvicorn
from mcp.server.mcpserver import MCPServer

upstream = sys.argv[1]
client = httpx2.AsyncClient()
server = MCPServer("minimal", log_level="ERROR")


@server.tool()
async def mistral_chat(prompt: str) -> dict[str, object]:
    """Ask a Mistral model."""
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": prompt}]}
    headers = {"authorization": "Bearer key"}
    response = await client.post(f"{upstream}/v1/chat/completions", json=body, headers=headers)
    reply = response.json()
    return {"text": reply["choices"][0]["message"]["content"], "usage": reply["usage"]}


if __name__ == "__main__":
    if len(sys.argv) > 2:  # noqa: PLR2004 - with a port it serves HTTP
        # As `server.run("streamable-http")` does if only `mcp` is installed, whatever is installed here.
        uvicorn.run(
            server.streamable_http_app(), port=int(sys.argv[2]), log_level="error", loop="asyncio", http="h11"
        )
    else:
        server.run()
