"""`POST /v1/fim/completions`: code between a prompt and a suffix."""

import re

from mistral_mcp.sandbox.answers.completions import Answer, Completion
from mistral_mcp.sandbox.protocol import rules
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_args, invalid_model
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply, stream_reply
from mistral_mcp.sandbox.protocol.strict import Count, Metadata, Strict, Temperature, TopP, as_list
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.protocol.usage import completion_usage
from mistral_mcp.sandbox.state.fine_tuned_models import find_model

FUNCTION = re.compile(r"def \w+\(([^)]*)\)[^:]*:\s*$")


class FimRequest(Strict):
    model: str
    prompt: str
    suffix: str | None = ""
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: Count | None = None
    min_tokens: Count | None = None
    stream: bool = False
    stop: str | list[str] | None = None
    random_seed: Count | None = None
    metadata: Metadata | None = None
    prompt_cache_key: str | None = None


def complete(call: Call) -> Reply:
    """Complete the code. The reply has the same shape as that of chat."""
    body = call.body(FimRequest)
    model = find_model(call.account, body.model)
    if model is None:
        raise invalid_model(body.model)
    if not model.can("completion_fim"):
        raise invalid_args("FIM is not enabled for this model")
    meter = call.account.meter(model.id)
    meter.admit()
    rules.check_greedy(body.temperature, body.top_p, model.top_p)
    prompt = count_tokens(body.prompt) + count_tokens(body.suffix or "") + 2
    rules.check_length(prompt, body.max_tokens, model)
    answer = Answer(_complete_code(body)).limit(as_list(body.stop), body.max_tokens, body.min_tokens)
    completion = Completion(body.model, [answer], completion_usage(prompt, answer.tokens))
    meter.spend(prompt + answer.tokens)
    if body.stream:
        return stream_reply(completion.events())
    headers = {"x-max-retry-attempts-reached": "false", **meter.headers(prompt + answer.tokens)}
    return json_reply(completion.body(), headers=headers)


def _complete_code(body: FimRequest) -> str:
    """A comment; if the prompt ends with the head of a function, also a body that adds up its parameters."""
    comment = f"# Sandbox completion from {body.model}\n"
    head = FUNCTION.search(body.prompt)
    if head is None:
        return comment + "pass\n"

    names = [part.split(":")[0].split("=")[0].strip(" *") for part in head[1].split(",")]
    total = " + ".join(name for name in names if name) or "None"
    code = f"    {comment}    result = {total}\n"
    if not body.prompt.endswith("\n"):
        code = f"\n{code}"
    if not body.suffix:
        code += "    return result\n"
    return code


ENDPOINTS = (Endpoint("POST", "/v1/fim/completions", complete),)
