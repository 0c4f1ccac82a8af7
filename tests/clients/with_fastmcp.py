"""FastMCP's client, in an environment of its own: lists the tools and calls one; prints both as JSON."""

import json
import sys
from typing import Any

import anyio
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport


async def main(server: dict[str, Any], tool: str, arguments: dict[str, Any]) -> None:
    transport = StdioTransport(**server) if "command" in server else StreamableHttpTransport(**server)
    async with Client(transport) as client:
        tools = await client.list_tools()
        result = await client.call_tool(tool, arguments)
    print(json.dumps({"tools": [tool.name for tool in tools], "text": result.content[0].text}))  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, *(json.loads(argument) for argument in sys.argv[1:]))
