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


def complete(call: Call) -> Reply:
    """Answer the conversation."""
    return answer_chat(call, call.body(ChatRequest))


def answer_chat(call: Call, body: ChatRequest) -> Reply:
    """The reply to a body that fits."""
    model = require_model(call.account, body.model, "completion_chat")
    meter = call.account.meter(model.id)
    meter.admit()
    prompt = rules.check_chat(body, model)
    guardrails = check_guardrails(body.guardrails or [], text_of(body.messages[-1].content))
    answer = choose_answer(body)
    variants = [_make_variant(answer, number) for number in range(body.n or 1)]
    answers = [variant.limit(as_list(body.stop), body.max_tokens, body.min_tokens) for variant in variants]
    spent = sum(each.tokens for each in answers)
    tier = "standard"
    if body.service_tier == "auto" and call.key.startswith("priority"):
        tier = "priority"
    cached = _count_cached_tokens(call, body, prompt)
    heard = sum(audio_seconds(decode_audio(chunk.input_audio)) for chunk in rules.audio_of(body.messages))
    usage = completion_usage(
        prompt,
        spent,
        cached=cached,
        tier=tier,
        audio_seconds=heard,
    )
    completion = apply_edge_case(Completion(body.model, answers, usage, extra=guardrails))
    meter.spend(prompt + spent)
    if body.stream:
        return stream_completion(completion)
    headers = {"x-max-retry-attempts-reached": "false", **meter.headers(prompt + spent)}
    body_of = completion.body
    if body.model == "sandbox-error-in-ok":
        body_of = inner_error
    return json_reply(body_of(), headers=headers)


def _make_variant(answer: Answer, number: int) -> Answer:
    """The same answer once more; a text says which one it is."""
    if not number or answer.calls or answer.chunks is not None or answer.text.startswith(("{", "[")):
        return answer
    return Answer(f"{answer.text} (variant {number + 1})", answer.thinking, finish_reason=answer.finish_reason)


def _count_cached_tokens(call: Call, body: ChatRequest, prompt: int) -> int:
    """Tokens found in the cache: all full blocks, from the second request with this cache key on."""
    if body.prompt_cache_key is None:
        return 0
    known = body.prompt_cache_key in call.account.cached_prompts
    call.account.cached_prompts.add(body.prompt_cache_key)
    if known:
        return prompt // CACHE_BLOCK * CACHE_BLOCK
    return 0


ENDPOINTS = (Endpoint("POST", "/v1/chat/completions", complete),)
