"""smolagents, in an environment of its own: takes the server's tools as its own, and calls each."""

import json
import sys
from typing import Any

from mcp import StdioServerParameters
from smolagents import ToolCollection
from whole import ASK, get_whole


def main(server: dict[str, Any], calls: dict[str, dict[str, Any]]) -> None:
    place = StdioServerParameters(**server) if "command" in server else {**server, "transport": "streamable-http"}
    with ToolCollection.from_mcp(place, trust_remote_code=True, structured_output=False) as collection:
        by_name = {tool.name: tool for tool in collection.tools}
        for name, arguments in calls.items():
            assert by_name[name](**arguments), name
        get_whole(str(by_name["mistral_embed"](**ASK)))
    print(json.dumps({"tools": list(by_name)}))  # noqa: T201


if __name__ == "__main__":
    main(*(json.loads(argument) for argument in sys.argv[1:]))
