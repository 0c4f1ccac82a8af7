"""Code completion between a prompt and a suffix."""

import httpx2
import pytest


@pytest.fixture
def fill(api: httpx2.AsyncClient):
    async def ask(**fields: object) -> httpx2.Response:
        body = {"model": "codestral-latest", "prompt": "def add(a: int, b=2):\n", **fields}
        return await api.post("/v1/fim/completions", json=body)

    return ask


async def test_a_function_is_filled_with_the_sum_of_its_parameters(fill):
    reply = (await fill()).json()
    scope: dict = {}
    exec("def add(a: int, b=2):\n" + reply["choices"][0]["message"]["content"], scope)  # noqa: S102 - our own code
    assert scope["add"](1) == 3
    assert reply["object"] == "chat.completion"


async def test_with_a_suffix_the_result_is_left_to_it(fill):
    assert "return" not in (await fill(suffix="return result")).json()["choices"][0]["message"]["content"]


async def test_limits_of_length_hold(fill):
    reply = (await fill(max_tokens=3)).json()
    assert (reply["choices"][0]["finish_reason"], reply["usage"]["completion_tokens"]) == ("length", 3)
    assert (await fill(min_tokens=50)).json()["usage"]["completion_tokens"] >= 50
    assert "\n" not in (await fill(stop="\n")).json()["choices"][0]["message"]["content"]


async def test_it_streams(fill):
    reply = await fill(stream=True)
    assert reply.text.startswith('data: {"id":')
    assert reply.text.endswith("data: [DONE]\n\n")


async def test_a_model_that_only_chats_is_refused(fill):
    body = (await fill(model="mistral-small-latest")).json()
    assert (body["message"], body["code"]) == ("FIM is not enabled for this model", "3051")


async def test_greedy_sampling_wants_top_p_to_be_1_here_too(fill):
    assert (await fill(temperature=0, top_p=0.5)).status_code == 400
