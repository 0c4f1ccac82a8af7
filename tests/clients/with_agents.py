"""openai-agents, in an environment of its own: turns the tools into strict functions, and invokes each."""

import json
import sys
from typing import Any

import anyio
from agents import RunContextWrapper
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp, MCPUtil
from agents.tool_context import ToolContext


async def main(server: dict[str, Any], calls: dict[str, dict[str, Any]]) -> None:
    kind = MCPServerStdio if "command" in server else MCPServerStreamableHttp
    async with kind(params=server, client_session_timeout_seconds=60) as connected:
        listed = await connected.list_tools()
        functions = {
            tool.name: MCPUtil.to_function_tool(tool, connected, convert_schemas_to_strict=True) for tool in listed
        }
        for name, arguments in calls.items():
            text = json.dumps(arguments)
            context = ToolContext.from_agent_context(
                RunContextWrapper(None), tool_call_id="1", tool_name=name, tool_arguments=text
            )
            answer = str(await functions[name].on_invoke_tool(context, text))
            assert "An error occurred" not in answer, f"{name}: {answer}"
    print(json.dumps({"tools": list(functions)}))  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, *(json.loads(argument) for argument in sys.argv[1:]))
