"""google-genai, in an environment of its own: takes the session as a tool, as a Gemini chat does, and makes each call."""

import json
import sys
from contextlib import AsyncExitStack
from itertools import chain
from typing import Any

import anyio
import httpx2
from google.genai import types
from google.genai._adapters import McpToGenAiToolAdapter
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


async def main(server: dict[str, Any], calls: dict[str, dict[str, Any]]) -> None:
    async with AsyncExitStack() as stack:
        if "command" in server:
            transport = stdio_client(StdioServerParameters(**server))
        else:
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=server["headers"], timeout=60))
            transport = streamable_http_client(server["url"], http_client=http)
        streams = await stack.enter_async_context(transport)
        session = await stack.enter_async_context(ClientSession(streams[0], streams[1]))
        await session.initialize()
        listed = await session.list_tools()
        adapter = McpToGenAiToolAdapter(session, listed)
        functions = chain.from_iterable(tool.function_declarations or [] for tool in adapter.tools)
        names = [function.name for function in functions]
        for name, arguments in calls.items():
            result = await adapter.call_tool(types.FunctionCall(name=name, args=arguments))
            assert not result.is_error, f"{name}: {result}"
    print(json.dumps({"tools": names}))  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, *(json.loads(argument) for argument in sys.argv[1:]))
