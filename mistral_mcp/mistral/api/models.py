"""Whose a key is, and the models it may name.

Source: `GET /v1/whoami`, `GET /v1/models`, `GET /v1/models/{id}`.
"""

from mistral_mcp.mistral.call import Call, Moment, Reply


class Organization(Reply):
    name: str | None = None
    org_tier: str | None = None


class Workspace(Reply):
    name: str | None = None


class WhoAmI(Reply):
    """Of the principal only what is no person's is read."""

    organization: Organization | None = None
    workspace: Workspace | None = None


class WhoAmICall(Call[WhoAmI]):
    path = "/v1/whoami"
    method = "GET"
    repeatable = True


class ModelCard(Reply):
    id: str
    name: str | None = None
    description: str | None = None
    aliases: list[str] = []
    capabilities: dict[str, bool | None] = {}
    max_context_length: int | None = None
    deprecation: Moment | None = None
    """When it is or was announced to be retired."""
    deprecation_replacement_model: str | None = None


class ModelList(Reply):
    data: list[ModelCard] = []


class ListModelsCall(Call[ModelList]):
    path = "/v1/models"
    method = "GET"
    repeatable = True


class GetModelCall(Call[ModelCard]):
    path = "/v1/models/{model_id}"
    method = "GET"
    repeatable = True

    model_id: str


def fold_aliases(cards: list[ModelCard]) -> list[ModelCard]:
    """One card a model. Mistral lists every alias as a card of its own, whose `aliases` name the others."""
    models: dict[frozenset[str], ModelCard] = {}
    for card in cards:
        names = frozenset({card.id, *card.aliases})
        known = models.get(names)
        if known is None or card.id == card.name:
            models[names] = card
    return list(models.values())
