"""The answers of chat."""

import json

import httpx2

from mistral_mcp.sandbox.protocol.tokens import split_tokens


async def test_an_answer_says_where_it_comes_from_and_what_it_heard(ask_for_message):
    message = await ask_for_message("Good morning")
    assert message == {
        "role": "assistant",
        "tool_calls": None,
        "content": 'Sandbox answer from mistral-small-latest: you said "Good morning" (1 message).',
    }


async def test_the_same_question_has_the_same_answer(ask_for_message):
    assert await ask_for_message("Tell me a long story") == await ask_for_message("Tell me a long story")


async def test_the_last_user_turn_is_the_one_that_is_heard(ask_for_message):
    turns = [("system", "Be brief"), ("user", "One"), ("assistant", "An error, it is required"), ("user", "Two")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert 'you said "Two" (4 messages)' in (await ask_for_message(messages=messages))["content"]


async def test_chunks_are_read_and_images_counted(ask_for_message):
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
    ]
    message = await ask_for_message(messages=[{"role": "user", "content": content}])
    assert 'you said "Look" and showed 1 image' in message["content"]


async def test_the_model_is_the_alias_that_was_asked(chat):
    assert (await chat(model="mistral-small-2603")).json()["model"] == "mistral-small-2603"


async def test_usage_adds_up(chat):
    usage = (await chat()).json()["usage"]
    assert usage == {
        "prompt_tokens": 6,
        "total_tokens": 6 + usage["completion_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "prompt_tokens_details": {"cached_tokens": 0},
        "service_tier": "standard",
    }


async def test_a_stop_text_ends_the_answer_before_it(chat):
    for stop in ("answer", ["nothing", "answer"]):
        choice = (await chat(stop=stop)).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("Sandbox ", "stop")


async def test_max_tokens_ends_the_answer_with_length(chat):
    reply = (await chat("Write an essay", max_tokens=5)).json()
    assert reply["choices"][0]["finish_reason"] == "length"
    assert len(split_tokens(reply["choices"][0]["message"]["content"])) == 5
    assert reply["usage"]["completion_tokens"] == 5


async def test_max_tokens_counts_thoughts_too(chat):
    reply = (await chat(max_tokens=4, reasoning_effort="high")).json()
    thought, text = reply["choices"][0]["message"]["content"]
    assert (thought["type"], text["text"], reply["usage"]["completion_tokens"]) == ("thinking", "", 4)


async def test_min_tokens_are_reached(chat):
    assert (await chat(min_tokens=300)).json()["usage"]["completion_tokens"] >= 300


async def test_a_prefix_is_echoed(ask_for_message):
    messages = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "Well: ", "prefix": True}]
    assert (await ask_for_message(messages=messages))["content"].startswith("Well: Sandbox answer")


async def test_json_mode_gives_an_object(ask_for_message):
    message = await ask_for_message("Give me JSON", response_format={"type": "json_object"})
    assert json.loads(message["content"])["you_said"] == "Give me JSON"


async def test_n_gives_that_many_choices(chat):
    choices = (await chat(n=3)).json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in choices}) == 3
    assert (await chat(n=3, max_tokens=5)).json()["usage"]["completion_tokens"] == 15


async def test_efforts_but_none_are_thought_about(ask_for_message):
    assert isinstance((await ask_for_message(reasoning_effort="none"))["content"], str)
    thought, text = (await ask_for_message(reasoning_effort="high"))["content"]
    assert thought["thinking"][0]["text"].startswith('The user said "Hello"')
    assert text["text"].startswith("Sandbox answer")


async def test_magistral_always_thinks(ask_for_message):
    assert (await ask_for_message(model="magistral-medium-latest"))["content"][0]["type"] == "thinking"


async def test_a_cache_key_pays_from_the_second_time_on(chat):
    asked = {"prompt": "word " * 100, "prompt_cache_key": "mine"}
    first, second = [(await chat(**asked)).json()["usage"] for _ in range(2)]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] == 128


async def test_only_entitled_keys_get_priority(chat, api: httpx2.AsyncClient):
    assert (await chat(service_tier="auto")).json()["usage"]["service_tier"] == "standard"
    api.headers["authorization"] = "Bearer priority-key"
    assert (await chat(service_tier="auto")).json()["usage"]["service_tier"] == "priority"
    assert (await chat()).json()["usage"]["service_tier"] == "standard"
