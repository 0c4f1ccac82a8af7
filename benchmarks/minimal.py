"""The baseline: the smallest server one would write with the SDK, one tool, httpx2, nothing of what a product adds."""

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
    if len(sys.argv) > 2:  # noqa: PLR2004 - the port is there: HTTP
        # What `server.run("streamable-http")` does where nothing but `mcp` is installed, whatever else is here.
        uvicorn.run(
            server.streamable_http_app(), port=int(sys.argv[2]), log_level="error", loop="asyncio", http="h11"
        )
    else:
        server.run()
