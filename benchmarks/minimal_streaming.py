"""The baseline for streams: a minimal server that forwards each chunk as progress."""

import json
import sys

import httpx2
import uvicorn
from mcp.server.mcpserver import Context, MCPServer

upstream = sys.argv[1]
# Without limits: with httpx2's default of 100 connections, nine hundred of a thousand callers would fail.
client = httpx2.AsyncClient(timeout=None, limits=httpx2.Limits(max_connections=None))
server = MCPServer("minimal", log_level="ERROR")


@server.tool()
async def mistral_chat(prompt: str, ctx: Context) -> str:
    """Ask a Mistral model."""
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": prompt}], "stream": True}
    text = ""
    async with client.stream("POST", f"{upstream}/v1/chat/completions", json=body) as response:
        async for event in httpx2.EventSource(response):
            if event.data != "[DONE]":
                piece = json.loads(event.data)["choices"][0]["delta"]["content"]
                text += piece
                await ctx.report_progress(len(text), message=piece)
    return text


if __name__ == "__main__":
    uvicorn.run(server.streamable_http_app(), port=int(sys.argv[2]), log_level="error", loop="asyncio", http="h11")
