"""The official SDK drives every endpoint, so that the sandbox cannot drift from what real clients expect."""

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from mistralai.client.models import FunctionCall, TextChunk, ThinkChunk

USER = [{"role": "user", "content": "Write a poem about Berlin"}]


async def test_chat_answers(sdk: Mistral):
    reply = await sdk.chat.complete_async(model="mistral-small-latest", messages=USER)
    assert reply.choices[0].message.content.startswith("Sandbox answer from mistral-small-latest")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


async def test_chat_streams_the_same_answer_in_several_dozen_chunks(sdk: Mistral):
    whole = await sdk.chat.complete_async(model="mistral-small-latest", messages=USER)
    stream = await sdk.chat.stream_async(model="mistral-small-latest", messages=USER)
    chunks = [event.data async for event in stream]
    text = "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 36
    assert chunks[-1].usage == whole.usage
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]


async def test_chat_thinks_when_asked_to(sdk: Mistral):
    reply = await sdk.chat.complete_async(model="mistral-small-latest", messages=USER, reasoning_effort="high")
    thought, text = reply.choices[0].message.content
    assert isinstance(thought, ThinkChunk)
    assert isinstance(text, TextChunk)


async def test_chat_calls_functions_and_takes_their_results(sdk: Mistral, weather: dict):
    asked = [{"role": "user", "content": "What is the weather in Berlin for 3 days?"}]
    reply = await sdk.chat.complete_async(model="mistral-small-latest", messages=asked, tools=[weather])
    message = reply.choices[0].message
    call = message.tool_calls[0]
    assert call.function == FunctionCall(name="get_weather", arguments='{"city": "Berlin", "days": 3}')
    result = {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": "Sunny"}
    reply = await sdk.chat.complete_async(
        model="mistral-small-latest", messages=[*asked, message, result], tools=[weather]
    )
    assert '"Sunny"' in reply.choices[0].message.content


async def test_a_streamed_call_comes_whole(sdk: Mistral, weather: dict):
    stream = await sdk.chat.stream_async(
        model="mistral-small-latest", messages=USER, tools=[weather], tool_choice="any"
    )
    *_, last = [event.data async for event in stream]
    assert last.choices[0].finish_reason == "tool_calls"
    assert last.choices[0].delta.tool_calls[0].function.name == "get_weather"


async def test_every_odd_model_can_be_read_but_the_nested_one(sdk: Mistral):
    for model in ("sandbox-chunks", "sandbox-odd-finish", "sandbox-bad-arguments", "sandbox-not-json"):
        reply = await sdk.chat.complete_async(model=model, messages=USER)
        assert reply.choices[0].message.content


async def test_fim_completes_and_streams(sdk: Mistral):
    asked = {"model": "codestral-latest", "prompt": "def add(a, b):", "suffix": "return result"}
    whole = await sdk.fim.complete_async(**asked)
    stream = await sdk.fim.stream_async(**asked)
    text = "".join([event.data.choices[0].delta.content async for event in stream])
    assert "a + b" in whole.choices[0].message.content
    assert text == whole.choices[0].message.content


async def test_embeddings_come_in_order(sdk: Mistral):
    reply = await sdk.embeddings.create_async(model="mistral-embed", inputs=["one", "two"])
    assert [item.index for item in reply.data] == [0, 1]
    assert len(reply.data[0].embedding) == 1024


async def test_code_embeddings_take_a_dimension_and_a_type(sdk: Mistral):
    reply = await sdk.embeddings.create_async(
        model="codestral-embed", inputs="x = 1", output_dimension=64, output_dtype="int8"
    )
    assert len(reply.data[0].embedding) == 64


async def test_moderation_judges_texts_and_conversations(sdk: Mistral):
    model = "mistral-moderation-latest"
    texts = await sdk.classifiers.moderate_async(model=model, inputs=["I will kill you", "Good morning"])
    one = await sdk.classifiers.moderate_chat_async(model=model, inputs=USER)
    two = await sdk.classifiers.moderate_chat_async(model=model, inputs=[USER, USER])
    assert [result.categories["violence_and_threats"] for result in texts.results] == [True, False]
    assert (len(one.results), len(two.results)) == (1, 2)


async def test_models_are_listed_and_looked_up(sdk: Mistral):
    cards = (await sdk.models.list_async()).data
    card = await sdk.models.retrieve_async(model_id="mistral-small-latest")
    assert card.id in [listed.id for listed in cards]
    assert card.capabilities.completion_chat


async def test_errors_are_the_ones_the_sdk_knows(sdk: Mistral):
    with pytest.raises(SDKError, match="Invalid model: nothing"):
        await sdk.chat.complete_async(model="nothing", messages=USER)
    with pytest.raises(HTTPValidationError):
        await sdk.embeddings.create_async(model="codestral-embed", inputs="x", output_dimension=-1)


async def test_chat_takes_everything_there_is(sdk: Mistral):
    reply = await sdk.chat.complete_async(
        model="mistral-small-latest",
        messages=USER,
        temperature=0.3,
        top_p=0.9,
        max_tokens=200,
        stop=["ZZZ"],
        random_seed=1,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        prediction={"type": "content", "content": "A poem"},
        n=2,
        safe_prompt=True,
        parallel_tool_calls=False,
        metadata={"a": "b"},
        prompt_cache_key="k",
        service_tier="standard_only",
        reasoning_effort="none",
        guardrails=[{"block_on_error": False, "moderation_llm_v2": {"action": "none"}}],
        logprobs=True,
        top_logprobs=2,
        response_format={"type": "json_object"},
    )
    assert len(reply.choices) == 2
    again = await sdk.chat.complete_async(model="mistral-small-latest", messages=USER, prompt_cache_key="k")
    assert again.choices[0].finish_reason == "stop"


async def test_the_bodies_of_another_client_are_taken(api):
    """Of `@ai-sdk/mistral` 4.0: facts about what it sends, which its makers try against the live API."""
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    chat = {
        "model": "mistral-small-latest",
        "safe_prompt": False,
        "stop": ["x"],
        "document_image_limit": 8,
        "document_page_limit": 64,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"schema": {"type": "object"}, "strict": False, "name": "response"},
        },
        "messages": [
            {"role": "system", "content": "Be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "image_url", "image_url": "https://example.com/a.png"},
                    {"type": "document_url", "document_url": "https://example.com/a.pdf"},
                ],
            },
            {"role": "assistant", "content": [thinking, {"type": "text", "text": "Hm"}], "tool_calls": [call]},
            {"role": "tool", "name": "f", "tool_call_id": "abcdefghi", "content": "42"},
            {"role": "assistant", "content": "So", "prefix": True},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }
    conversation = {
        "model": "mistral-small-latest",
        "store": False,
        "instructions": "Be brief",
        "inputs": [
            {"type": "message.input", "role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"type": "message.input", "role": "assistant", "content": [thinking, {"type": "text", "text": "Hm"}]},
            {"type": "message.input", "role": "user", "content": "And?"},
        ],
        "tools": [{"type": "web_search"}],
        "completion_args": {"temperature": 0.5, "top_p": 0.9, "tool_choice": "auto", "reasoning_effort": "none"},
    }
    for path, body in (("/v1/chat/completions", chat), ("/v1/conversations", conversation)):
        reply = await api.post(path, json=body)
        assert reply.status_code == 200, reply.text
