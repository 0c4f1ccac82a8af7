"""`POST /v1/chat/completions`."""

from mistral_mcp.sandbox.answers.check_guardrails import check_guardrails
from mistral_mcp.sandbox.answers.choose_answer import choose_answer
from mistral_mcp.sandbox.answers.completions import Answer, Completion
from mistral_mcp.sandbox.answers.edge_cases import apply_edge_case
from mistral_mcp.sandbox.answers.edge_streams import inner_error, stream_completion
from mistral_mcp.sandbox.answers.make_audio import audio_seconds, decode_audio
from mistral_mcp.sandbox.protocol import rules
from mistral_mcp.sandbox.protocol.chat_request import ChatRequest
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.messages import text_of
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import as_list
from mistral_mcp.sandbox.protocol.usage import completion_usage
from mistral_mcp.sandbox.state.fine_tuned_models import require_model

CACHE_BLOCK = 16
"""Tokens: prompts are cached in whole blocks."""


def complete(call: Call) -> Reply:
    """Answer the conversation."""
    return answer_chat(call, call.body(ChatRequest))


def answer_chat(call: Call, body: ChatRequest) -> Reply:
    """The reply to a valid body; chat and agents share it."""
    model = require_model(call.account, body.model, "completion_chat")
    meter = call.account.meter(model.id)
    meter.admit()

    prompt_tokens = rules.check_chat(body, model)
    guardrails = check_guardrails(body.guardrails or [], text_of(body.messages[-1].content))

    answer = choose_answer(body)
    variants = [_make_variant(answer, number) for number in range(body.n or 1)]
    answers = [variant.limit(as_list(body.stop), body.max_tokens, body.min_tokens) for variant in variants]
    completion_tokens = sum(each.tokens for each in answers)

    tier = "standard"
    if body.service_tier == "auto" and call.key.startswith("priority"):
        tier = "priority"
    cached = _count_cached_tokens(call, body, prompt_tokens)
    audio = sum(audio_seconds(decode_audio(chunk.input_audio)) for chunk in rules.audio_of(body.messages))
    usage = completion_usage(
        prompt_tokens,
        completion_tokens,
        cached=cached,
        tier=tier,
        audio_seconds=audio,
    )
    completion = apply_edge_case(Completion(body.model, answers, usage, extra=guardrails))
    meter.spend(prompt_tokens + completion_tokens)

    if body.stream:
        return stream_completion(completion)
    headers = {"x-max-retry-attempts-reached": "false", **meter.headers(prompt_tokens + completion_tokens)}
    if body.model == "sandbox-error-in-ok":
        return json_reply(inner_error(), headers=headers)
    return json_reply(completion.body(), headers=headers)


def _make_variant(answer: Answer, number: int) -> Answer:
    """The answer of the choice with this index: the same for all, except that a text names its number."""
    if not number or answer.calls or answer.chunks is not None or answer.text.startswith(("{", "[")):
        return answer
    return Answer(f"{answer.text} (variant {number + 1})", answer.thinking, finish_reason=answer.finish_reason)


def _count_cached_tokens(call: Call, body: ChatRequest, prompt_tokens: int) -> int:
    """The cached prompt tokens: all whole blocks, from the second request with this cache key on."""
    if body.prompt_cache_key is None:
        return 0
    known = body.prompt_cache_key in call.account.cached_prompts
    call.account.cached_prompts.add(body.prompt_cache_key)
    if known:
        return prompt_tokens // CACHE_BLOCK * CACHE_BLOCK
    return 0


ENDPOINTS = (Endpoint("POST", "/v1/chat/completions", complete),)
