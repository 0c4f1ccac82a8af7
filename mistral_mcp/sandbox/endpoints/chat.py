"""`POST /v1/chat/completions`."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from mistral_mcp.sandbox.answers import answer_text as parrot
from mistral_mcp.sandbox.answers import edge_cases as oddities
from mistral_mcp.sandbox.answers.check_guardrails import Guardrail, guarded
from mistral_mcp.sandbox.answers.choose_functions import arguments_for, chosen, tool_call
from mistral_mcp.sandbox.answers.completions import Answer, Completion
from mistral_mcp.sandbox.answers.fill_schema import instance
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol import rules
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_args, invalid_request
from mistral_mcp.sandbox.protocol.messages import AssistantMessage, Message, ResponseFormat, Tool, ToolChoice, text_of
from mistral_mcp.sandbox.protocol.replies import Reply, compact, json_reply, stream_reply
from mistral_mcp.sandbox.protocol.strict import Count, Metadata, Strict, Temperature, TopP
from mistral_mcp.sandbox.protocol.tokens import count
from mistral_mcp.sandbox.protocol.usage import completion_usage
from mistral_mcp.sandbox.state.fine_tuned_models import able
from mistral_mcp.sandbox.state.models import Model

IMAGE_TOKENS = 256
MESSAGE_TOKENS = 4
CACHE_BLOCK = 16

Penalty = Annotated[float, Field(ge=-2, le=2)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class StreamOptions(Strict):
    """Known to the API, and closed: `include_usage` is refused inside it."""


class Prediction(Strict):
    type: Literal["content"] = "content"
    content: str = ""


class Asked(Strict):
    """What chat and agents share; fields of SDK 3.7 that the specification does not have yet are in it."""

    messages: list[Message]
    max_tokens: Count | None = None
    min_tokens: Count | None = None
    stream: bool = False
    stop: str | list[str] | None = None
    random_seed: Count | None = None
    metadata: Metadata | None = None
    response_format: ResponseFormat = ResponseFormat()
    tools: list[Tool] | None = None
    tool_choice: Literal["auto", "none", "any", "required"] | ToolChoice = "auto"
    parallel_tool_calls: bool = True
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    logprobs: bool | None = None
    top_logprobs: Count | None = None
    prompt_logprobs: bool | None = None
    top_prompt_logprobs: Count | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    prediction: Prediction | None = None
    reasoning_effort: Effort | None = None
    prompt_mode: Literal["reasoning"] | None = None
    guardrails: list[Guardrail] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "standard_only"] | None = None


class ChatRequest(Asked):
    model: str
    temperature: Temperature | None = None
    top_p: TopP | None = None
    safe_prompt: bool = False
    stream_options: StreamOptions | None = None


def complete(call: Call) -> Reply:
    """Answer the conversation."""
    return answered(call, call.body(ChatRequest))


def answered(call: Call, body: ChatRequest) -> Reply:
    """The reply to a body that fits."""
    model = able(call.account, body.model, "completion_chat")
    meter = call.account.meter(model.id)
    meter.admit()
    prompt = checked(body, model)
    guardrails = guarded(body.guardrails or [], text_of(body.messages[-1].content))
    answer = answer_to(body)
    variants = [_variant(answer, number) for number in range(body.n or 1)]
    answers = [variant.limited(_stops(body), body.max_tokens, body.min_tokens) for variant in variants]
    spent = sum(each.tokens for each in answers)
    tier = "priority" if body.service_tier == "auto" and call.key.startswith("priority") else "standard"
    usage = completion_usage(prompt, spent, cached=_cached(call, body, prompt), tier=tier)
    completion = oddities.dressed(Completion(body.model, answers, usage, extra=guardrails))
    meter.spend(prompt + spent)
    if body.stream:
        return stream_reply(completion.events())
    headers = {"x-max-retry-attempts-reached": "false", **meter.headers(prompt + spent)}
    return json_reply(completion.body(), headers=headers)


def checked(body: ChatRequest, model: Model) -> int:
    """The size of the prompt, once all rules are kept."""
    rules.check_order(body.messages)
    rules.check_calls(body.messages)
    rules.check_tools(body.tools or [], body.tool_choice, model)
    rules.check_images(body.messages, model)
    thinking = body.reasoning_effort not in (None, "none")
    # Seen live: the default of this model shows when it is to think and sample greedily.
    rules.check_greedy(body.temperature, body.top_p, model.top_p if thinking else 1.0)
    if body.prompt_mode is not None and not model.id.startswith("magistral-medium"):
        raise invalid_request("Reasoning prompt mode is not enabled for this model")
    if (body.n or 1) > 1 and model.id == "mistral-large-2512":
        raise invalid_args("Multiple completions are not enabled for this model")
    if body.response_format.type == "json_schema" and body.response_format.json_schema is None:
        raise invalid_request("json_schema must be provided when response_format type is json_schema.")
    prompt = _prompt_tokens(body)
    rules.check_length(prompt, body.max_tokens, model)
    return prompt


def _prompt_tokens(body: ChatRequest) -> int:
    told = sum(count(text_of(message.content)) + MESSAGE_TOKENS for message in body.messages)
    shown = IMAGE_TOKENS * sum(1 for _ in rules.images_of(body.messages))
    called = sum(
        count(compact(made.function.model_dump()))
        for message in body.messages
        if isinstance(message, AssistantMessage)
        for made in message.tool_calls or []
    )
    offered = sum(count(compact(tool.model_dump())) for tool in body.tools or [])
    return told + shown + called + offered


def answer_to(body: ChatRequest) -> Answer:
    """Calls, JSON or words."""
    said = oddities.task(body.model, body.messages)
    mended = oddities.corrected(body.model, body.messages)
    native = body.model.startswith("magistral")
    thinking = parrot.thought(said) if native or body.reasoning_effort not in (None, "none") else None
    functions = chosen(
        body.tools or [],
        body.tool_choice,
        body.messages,
        said,
        parallel=body.parallel_tool_calls,
        again=mended,
    )
    if functions:
        hints = Hints(said)
        calls: list[dict[str, Any]] = []
        for place, function in enumerate(functions):
            filled = arguments_for(function, hints)
            written = oddities.arguments(body.model, filled, function.parameters, mended=mended)
            calls.append(tool_call(function, written, place, turn=len(body.messages)))
        return Answer(thinking=thinking, calls=tuple(calls), finish_reason="tool_calls")
    text = _json(body, said, mended=mended) or parrot.spoken(body.model, body.messages, said)
    return Answer(_prefix(body.messages) + text, thinking)


def _json(body: ChatRequest, said: str, *, mended: bool) -> str | None:
    """The answer as JSON, if that is what the format asks for."""
    wanted = body.response_format
    if wanted.type == "text":
        return None
    document: Any = {"answer": f"Sandbox answer from {body.model}", "you_said": said}
    if wanted.json_schema is not None:
        schema = wanted.json_schema.schema_
        document = oddities.document(body.model, instance(schema, Hints(said)), schema, mended=mended)
    return json.dumps(document, ensure_ascii=False)


def _prefix(messages: Sequence[Message]) -> str:
    """The beginning of the answer that the conversation prescribes; it is echoed."""
    last = messages[-1]
    return text_of(last.content) if isinstance(last, AssistantMessage) and last.prefix else ""


def _stops(body: ChatRequest) -> list[str]:
    return [body.stop] if isinstance(body.stop, str) else body.stop or []


def _variant(answer: Answer, number: int) -> Answer:
    """The same answer once more; a text says which one it is."""
    if not number or answer.calls or answer.chunks is not None or answer.text.startswith(("{", "[")):
        return answer
    return Answer(f"{answer.text} (variant {number + 1})", answer.thinking, finish_reason=answer.finish_reason)


def _cached(call: Call, body: ChatRequest, prompt: int) -> int:
    """Tokens found in the cache: all full blocks, from the second request with this cache key on."""
    if body.prompt_cache_key is None:
        return 0
    known = body.prompt_cache_key in call.account.cached_prompts
    call.account.cached_prompts.add(body.prompt_cache_key)
    return prompt // CACHE_BLOCK * CACHE_BLOCK if known else 0


ENDPOINTS = (Endpoint("POST", "/v1/chat/completions", complete),)
