"""Valid bodies that Mistral rejects, with its messages and codes."""

import base64

import httpx2
import pytest

USER = {"role": "user", "content": "Hello"}
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()

CALL = (400, "invalid_function_call", "3280")
ARGS = (400, "invalid_request_invalid_args", "3051")
FILE = (400, "invalid_request_file", "3310")
PLAIN = (400, "invalid_request_error", None)


def image_turns(*urls: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": url} for url in urls]}]


def function(name: str) -> dict:
    return {"type": "function", "function": {"name": name, "parameters": {}}}


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/v1/chat/completions", {"messages": [USER]}),
        ("/v1/fim/completions", {"prompt": "x"}),
        ("/v1/embeddings", {"input": "x"}),
        ("/v1/moderations", {"input": "x"}),
    ],
)
async def test_an_unknown_model_is_1500(path: str, needed: dict, api: httpx2.AsyncClient):
    for model in ("gpt-5", "open-mistral-7b"):
        reply = await api.post(path, json={"model": model, **needed})
        assert reply.status_code == 400
        assert reply.json() == {
            "object": "error",
            "message": f"Invalid model: {model}",
            "type": "invalid_model",
            "param": None,
            "code": "1500",
            "raw_status_code": 400,
        }


async def test_a_model_of_another_kind_is_unknown_to_chat(ask_for_error):
    assert (await ask_for_error(model="mistral-embed"))[1:3] == ("invalid_model", "1500")


async def test_greedy_sampling_wants_top_p_to_be_1(chat, ask_for_error):
    greedy = (*PLAIN, "top_p must be 1 when using greedy sampling.")
    assert await ask_for_error(temperature=0, top_p=0.9) == greedy
    assert (await chat(temperature=0, top_p=1)).status_code == 200
    assert (await chat(temperature=0)).status_code == 200


async def test_one_model_has_a_default_that_greedy_thinking_does_not_allow(chat, ask_for_error):
    thinking = {"model": "mistral-medium-latest", "reasoning_effort": "high", "temperature": 0}
    assert (await ask_for_error(**thinking))[3] == "top_p must be 1 when using greedy sampling."
    assert (await chat(**thinking, top_p=1)).status_code == 200
    assert (await chat(**{**thinking, "reasoning_effort": "none"})).status_code == 200


@pytest.mark.parametrize("model", ["mistral-small-latest", "magistral-medium-latest"])
async def test_no_model_has_the_reasoning_prompt_mode_any_more(model: str, ask_for_error):
    error = await ask_for_error(model=model, prompt_mode="reasoning")
    assert error[3] == "Reasoning prompt mode is not enabled for this model"


@pytest.mark.parametrize(
    ("model", "effort", "known"),
    [
        ("mistral-small-latest", "medium", ["none", "high"]),
        ("mistral-large-4", "none", ["low", "medium", "high"]),
        ("zai-glm-5-3", "medium", ["low", "high", "max"]),
    ],
)
async def test_each_family_has_its_own_reasoning_efforts(
    model: str, effort: str, known: list[str], chat, ask_for_error
):
    values = ", ".join(f"<ReasoningEffort.{name}: '{name}'>" for name in known)
    message = f"reasoning_effort='{effort}' is not supported for this model. Must be one of ({values})"
    assert await ask_for_error(model=model, reasoning_effort=effort) == (*ARGS, message)
    for name in known:
        assert (await chat(model=model, reasoning_effort=name)).status_code == 200


async def test_a_model_that_does_not_reason_takes_no_effort(ask_for_error):
    assert (await ask_for_error(model="codestral-latest", reasoning_effort="high"))[:3] == ARGS


async def test_a_refused_alias_can_be_named_by_the_model_behind_it(ask_for_error):
    assert await ask_for_error(model="sandbox-refused-alias") == (
        400,
        "invalid_model",
        "1500",
        "Invalid model: mistral-medium-3.5",
    )


async def test_only_models_that_hear_take_recordings(chat, ask_for_error):
    wav = base64.b64encode(b"ID3" + bytes(160_000)).decode()
    messages = [{"role": "user", "content": [{"type": "input_audio", "input_audio": wav}]}]
    assert (await ask_for_error(messages=messages))[:3] == ARGS
    usage = (await chat(model="voxtral-small-latest", messages=messages)).json()["usage"]
    assert usage["prompt_audio_seconds"] == 11
    assert usage["prompt_tokens_details"]["audio_tokens"] == 125


async def test_a_prompt_longer_than_the_window_is_3051(ask_for_error):
    status, kind, code, message = await ask_for_error("word " * 200_000, model="codestral-latest")
    assert (status, kind, code) == ARGS
    assert message == (
        "Prompt contains 250004 tokens and 0 draft tokens, too large for model with 131072 maximum context length"
    )


async def test_the_answer_has_to_fit_into_the_window_too(ask_for_error):
    assert (await ask_for_error(max_tokens=262_144))[:3] == ARGS


async def test_images_are_for_models_that_see(chat, ask_for_error):
    image = image_turns(PNG)
    assert await ask_for_error(messages=image, model="codestral-latest") == (
        *ARGS,
        "Image input is not enabled for this model",
    )
    assert (await chat(messages=image)).status_code == 200
    assert (await chat(messages=image_turns("https://example.com/a.png"))).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "https://nowhere.invalid/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,????",
        "data:image/png;base64," + base64.b64encode(b"no picture").decode(),
        "data:text/plain;base64,aGVsbG8=",
    ],
)
async def test_an_image_that_cannot_be_loaded_is_3310(url: str, ask_for_error):
    assert (await ask_for_error(messages=image_turns(url)))[:3] == FILE


async def test_a_hundred_images_are_enough(chat, ask_for_error):
    assert (await chat(messages=image_turns(*[PNG] * 100))).status_code == 200
    assert (await ask_for_error(messages=image_turns(*[PNG] * 101)))[:3] == ARGS


async def test_functions_have_plain_names_and_are_at_most_128(ask_for_error):
    assert (await ask_for_error(tools=[function("no spaces")]))[:3] == CALL
    assert (await ask_for_error(tools=[function(f"f{number}") for number in range(129)]))[:3] == PLAIN


async def test_a_forced_function_has_to_be_offered(ask_for_error):
    named = {"type": "function", "function": {"name": "g"}}
    assert (await ask_for_error(tools=[function("f")], tool_choice=named))[:3] == PLAIN
    assert (await ask_for_error(tool_choice="any"))[:3] == PLAIN


async def test_a_json_schema_format_needs_its_schema(ask_for_error):
    assert (await ask_for_error(response_format={"type": "json_schema"}))[:3] == PLAIN


async def test_large_does_not_give_several_answers(ask_for_error):
    assert (await ask_for_error(model="mistral-large-latest", n=2))[:3] == ARGS
