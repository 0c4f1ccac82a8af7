"""Classification, which only fine-tuned classifiers do."""

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

MODEL = "ft:classifier:ministral-3b-latest:mood:20261121:0a1b2c3d"


async def test_each_text_gets_scores_that_sum_to_one(sdk: Mistral):
    reply = await sdk.classifiers.classify_async(model=MODEL, inputs=["What a great day", "I hate it", "It rains"])
    scores = [result["sentiment"].scores for result in reply.results]
    assert [max(each, key=each.get) for each in scores][:2] == ["positive", "negative"]
    assert all(sum(each.values()) == pytest.approx(1, abs=1e-4) for each in scores)


async def test_one_text_is_one_result(sdk: Mistral):
    assert len((await sdk.classifiers.classify_async(model=MODEL, inputs="Hello")).results) == 1


async def test_conversations_are_classified_one_by_one(sdk: Mistral):
    chat = {"messages": [{"role": "user", "content": "I love it"}]}
    one = await sdk.classifiers.classify_chat_async(model=MODEL, input=chat)
    two = await sdk.classifiers.classify_chat_async(model=MODEL, input=[chat, chat])
    assert (len(one.results), len(two.results)) == (1, 2)
    assert one.results == two.results[:1]


async def test_other_models_cannot(sdk: Mistral):
    for model in ("mistral-small-latest", "ft:ministral-3b-latest:x"):
        with pytest.raises(SDKError, match=f"Invalid model: {model}"):
            await sdk.classifiers.classify_async(model=model, inputs="x")


async def test_bodies_are_closed_and_not_empty(api: httpx2.AsyncClient):
    for path, body in (
        ("/v1/classifications", {"model": MODEL, "inputs": "x"}),
        ("/v1/chat/classifications", {"model": MODEL, "input": [{"role": "user", "content": "x"}]}),
    ):
        assert (await api.post(path, json=body)).status_code == 422
    assert (await api.post("/v1/classifications", json={"model": MODEL, "input": []})).status_code == 400
