"""Stands in for the hosts' own models, so that a host can call a tool offline.

It asks for the chat tool, by the name under which the host offers it, then ends its turn by saying how many of the server's
tools it was offered. It speaks as much of each vendor's wire as the host needs.
"""

import json
from itertools import chain
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOOL = "mistral_chat"
ARGUMENTS = {"prompt": "Hello from a client"}
EVERY_CALL: dict[str, dict[str, Any]] = {
    TOOL: ARGUMENTS,
    "mistral_embed": {"inputs": ["a"]},
    "mistral_rank": {"query": "a", "documents": ["b", "c"]},
    "mistral_function_call": {
        "functions": [{"name": "weather", "parameters": {"type": "object", "properties": {}}}],
        "prompt": "How is the weather?",
    },
    "mistral_code_complete": {"prompt": "def f("},
    "mistral_moderate": {"inputs": ["a"]},
    "mistral_list_models": {},
    "mistral_get_model": {"model": "mistral-small-latest"},
}
"""A call of each default tool, for frameworks, which build their own functions from the schemas."""


def create_app() -> Starlette:
    return Starlette(
        routes=[
            Route("/v1/messages", anthropic, methods=["POST"]),
            Route("/v1beta/models/{call:path}", gemini, methods=["POST"]),
            Route("/v1/chat/completions", mistral, methods=["POST"]),
        ]
    )


def _choose_next(offered: list[str], *, answered: bool) -> tuple[str | None, str]:
    """The tool to call, if any, and what to say else."""
    ours = [name for name in offered if "mistral_" in name]
    tool = next((name for name in ours if name.endswith(TOOL)), None)
    return None if answered else tool, f"{len(ours)} tools"


async def anthropic(request: Request) -> Response:
    asked: dict[str, Any] = await request.json()
    offered = [tool["name"] for tool in asked.get("tools", [])]
    tool, text = _choose_next(offered, answered="tool_result" in json.dumps(asked["messages"]))
    if tool is None:
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": text}
    else:
        block = {"type": "tool_use", "id": "toolu_0123456789", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(ARGUMENTS)}
    reason = "end_turn" if tool is None else "tool_use"
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_01", "type": "message", "role": "assistant", "model": asked["model"], "usage": usage}
    if not asked.get("stream"):
        content = [block | ({"text": text} if tool is None else {"input": ARGUMENTS})]
        return JSONResponse(message | {"content": content, "stop_reason": reason, "stop_sequence": None})
    return _events(
        {
            "type": "message_start",
            "message": message | {"content": [], "stop_reason": None, "stop_sequence": None},
        },
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    )


async def gemini(request: Request) -> Response:
    asked: dict[str, Any] = await request.json()
    declared = chain.from_iterable(tool.get("functionDeclarations", []) for tool in asked.get("tools", []))
    offered = [each["name"] for each in declared]
    tool, text = _choose_next(offered, answered="functionResponse" in json.dumps(asked["contents"]))
    part = {"text": text} if tool is None else {"functionCall": {"name": tool, "args": ARGUMENTS}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    answer = {"candidates": [candidate], "usageMetadata": {"totalTokenCount": 1}}
    streamed = request.path_params["call"].endswith(":streamGenerateContent")
    return _events(answer) if streamed else JSONResponse(answer)


async def mistral(request: Request) -> Response:
    """Vibe's model writes a program, which calls the tools of all servers."""
    asked: dict[str, Any] = await request.json()
    last: dict[str, Any] = asked["messages"][-1]
    message: dict[str, Any] = {"role": "assistant", "content": last["content"]}
    if last["role"] != "tool":
        code = (
            f"async function main() {{ await tools.mcp_mistral.{TOOL}({json.dumps(ARGUMENTS)});"
            " return Object.keys(tools.mcp_mistral).length + ' tools'; }"
        )
        function = {"name": "run_typescript", "arguments": json.dumps({"code": code})}
        call = {"id": "call01234", "index": 0, "type": "function", "function": function}
        message |= {"content": "", "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    answer = {"id": "01", "object": "chat.completion", "created": 0, "model": asked["model"], "usage": usage}
    if not asked.get("stream"):
        return JSONResponse(answer | {"choices": [choice | {"message": message}]})
    return _events(
        answer | {"object": "chat.completion.chunk", "choices": [choice | {"delta": message}]}, last="[DONE]"
    )


def _events(*events: dict[str, Any], last: str = "") -> Response:
    named = (f"event: {event['type']}\n" if "type" in event else "" for event in events)
    text = "".join(f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(named, events, strict=True))
    return Response(text + (f"data: {last}\n\n" if last else ""), media_type="text/event-stream")
