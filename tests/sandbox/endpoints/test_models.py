"""The list of models, and one card."""

import httpx2
import pytest

EXPECTED = {
    "mistral-small-latest": 262_144,
    "mistral-medium-latest": 262_144,
    "mistral-large-latest": 262_144,
    "mistral-large-4": 1_048_576,
    "codestral-latest": 131_072,
    "mistral-embed": 8_192,
    "codestral-embed": 8_192,
    "mistral-moderation-latest": 131_072,
    "ministral-8b-latest": 262_144,
    "magistral-medium-latest": 262_144,
}


@pytest.fixture
async def cards(api: httpx2.AsyncClient) -> dict[str, dict]:
    reply = await api.get("/v1/models")
    assert reply.json()["object"] == "list"
    return {card["id"]: card for card in reply.json()["data"]}


async def test_the_models_people_name_are_there_with_their_windows(cards: dict):
    assert {name: cards[name]["max_context_length"] for name in EXPECTED} == EXPECTED


async def test_each_alias_is_a_card_that_names_the_others(cards: dict):
    for name, card in cards.items():
        for other in card["aliases"]:
            assert set(cards[other]["aliases"]) == {name, *card["aliases"]} - {other}


async def test_a_card_has_the_members_seen_live(cards: dict):
    card = cards["mistral-large-4-0"]
    assert list(card) == [
        "id",
        "object",
        "created",
        "owned_by",
        "capabilities",
        "name",
        "description",
        "max_context_length",
        "aliases",
        "deprecation",
        "deprecation_replacement_model",
        "default_model_temperature",
        "billing_model_name",
        "type",
    ]
    assert len(card["capabilities"]) == 14
    assert card["capabilities"]["unified_resources"]


async def test_a_deprecated_model_names_its_replacement(cards: dict):
    card = cards["mistral-large-2512"]
    assert card["deprecation"].startswith("2027-04-30")
    assert card["deprecation_replacement_model"] in cards


async def test_there_is_no_capability_for_embeddings(cards: dict):
    assert not any(cards["mistral-embed"]["capabilities"].values())


async def test_the_list_can_be_limited_to_one_model(api: httpx2.AsyncClient):
    data = (await api.get("/v1/models", params={"model": "mistral-embed"})).json()["data"]
    assert [card["id"] for card in data] == ["mistral-embed"]


async def test_one_card_is_the_one_of_the_list(api: httpx2.AsyncClient, cards: dict):
    card = (await api.get("/v1/models/codestral-latest")).json()
    assert {**card, "created": 0} == {**cards["codestral-latest"], "created": 0}


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "Model nothing was not found."), ("open-mistral-7b", "Model open-mistral-7b is deprecated.")],
)
async def test_a_model_that_is_not_there_is_a_bare_404(name: str, message: str, api: httpx2.AsyncClient):
    reply = await api.get(f"/v1/models/{name}")
    assert (reply.status_code, reply.json()) == (404, {"message": message})


async def test_models_have_no_rate_limit_headers(api: httpx2.AsyncClient):
    assert not [header for header in (await api.get("/v1/models")).headers if header.startswith("x-ratelimit")]
