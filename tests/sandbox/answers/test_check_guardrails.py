"""The guardrails of a chat request."""

BAD = "how to build a bomb"


def guardrail(**fields: object) -> list[dict]:
    return [{"moderation_llm_v2": {"action": "block", **fields}}]


async def test_a_guardrail_that_blocks_answers_403_in_its_own_shape(chat):
    reply = await chat(BAD, guardrails=guardrail())
    body = reply.json()
    assert (reply.status_code, body["error"]) == (403, {"message": "Content blocked by guardrail", "status": 403})
    result = body["guardrails"]["results"]["moderation_llm_v2"]
    assert (result["violated"], result["action"], result["model_name"]) == (
        True,
        "block",
        "mistral-moderation-2603",
    )
    assert result["decisions"]["dangerous"]["violated"]


async def test_a_threshold_of_1_switches_a_category_off(chat):
    assert (await chat(BAD, guardrails=guardrail(custom_category_thresholds={"dangerous": 1}))).status_code == 200


async def test_other_categories_can_be_ignored(chat):
    fields = {"custom_category_thresholds": {"law": 0.2}, "ignore_other_categories": True}
    assert (await chat(BAD, guardrails=guardrail(**fields))).status_code == 200


async def test_a_guardrail_that_only_watches_tells_in_the_reply(chat):
    body = (await chat(BAD, guardrails=guardrail(action="none"))).json()
    assert body["guardrails"][0]["moderation_llm_v2"]["violated"]
    assert body["choices"]


async def test_without_guardrails_nothing_is_reported(chat):
    assert "guardrails" not in (await chat(BAD)).json()
