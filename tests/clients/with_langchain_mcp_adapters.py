"""LangChain's MCP adapters, in an environment of their own: each call with None for every parameter that is not given."""

import json
import sys
from typing import Any

import anyio
from langchain_mcp_adapters.client import MultiServerMCPClient
from whole import ASK, get_whole


async def main(server: dict[str, Any], calls: dict[str, dict[str, Any]]) -> None:
    connection = {**server, "transport": "stdio" if "command" in server else "streamable_http"}
    tools = await MultiServerMCPClient({"mistral": connection}).get_tools()
    by_name = {tool.name: tool for tool in tools}
    for name, arguments in calls.items():
        tool = by_name[name]
        unset = dict.fromkeys(tool.args)
        call = {"type": "tool_call", "id": "1", "name": name, "args": {**unset, **arguments}}
        message = await tool.ainvoke(call)
        assert message.status == "success", f"{name}: {message.content}"
    embedded = await by_name["mistral_embed"].ainvoke(ASK)
    get_whole(str(embedded))
    print(json.dumps({"tools": list(by_name)}))  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, *(json.loads(argument) for argument in sys.argv[1:]))
