"""Toolset `models`: the models of a key, with context windows and prices."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from mistral_mcp.mistral import catalog
from mistral_mcp.mistral.api.models import GetModelCall, ListModelsCall, ModelCard, fold_aliases
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()


class UnitPrice(BaseModel):
    usd: float
    per: str


class Price(BaseModel):
    """List price, and the day it was read."""

    input_usd_per_mtok: Maybe[float] = None
    output_usd_per_mtok: Maybe[float] = None
    units: Maybe[list[UnitPrice]] = Field(default=None, description="what is not counted in tokens")
    date: str

    @classmethod
    def of(cls, price: catalog.Price) -> "Price":
        return cls(
            input_usd_per_mtok=price.input_usd_per_mtok,
            output_usd_per_mtok=price.output_usd_per_mtok,
            units=[UnitPrice(usd=unit.usd, per=unit.per) for unit in price.units] or None,
            date=price.date,
        )

    def text(self) -> str:
        facts: list[str] = []
        if self.input_usd_per_mtok is not None:
            facts.append(f"${self.input_usd_per_mtok:g} in")
        if self.output_usd_per_mtok is not None:
            facts.append(f"${self.output_usd_per_mtok:g} out")
        if facts:
            tokens = f"{', '.join(facts)} per million tokens"
        else:
            tokens = ""
        units = [f"${unit.usd:g} per {unit.per}" for unit in self.units or ()]
        return ", ".join(filter(None, [tokens, *units]))


class Model(BaseModel):
    """One model, with its aliases."""

    id: str
    aliases: list[str]
    description: Maybe[str] = None
    context_length: int | None
    capabilities: list[str]
    price: Maybe[Price] = None
    deprecation: Maybe[str] = Field(default=None, description="when it is retired")
    replacement: Maybe[str] = None

    @classmethod
    def of(cls, card: ModelCard, prices: catalog.Catalog) -> Self:
        """The model of a card, with the first price known for one of its names."""
        price = next(filter(None, map(prices.price_of, [card.id, *card.aliases])), None)
        return cls(
            id=card.id,
            aliases=card.aliases,
            description=card.description,
            context_length=card.max_context_length or prices.context_window(card.id),
            capabilities=_capabilities(card),
            price=Price.of(price) if price else None,
            deprecation=card.deprecation,
            replacement=card.deprecation_replacement_model,
        )

    def line(self) -> str:
        facts = [", ".join(self.capabilities)]
        facts += [f"{self.context_length:,} tokens"] if self.context_length else []
        facts += [self.price.text()] if self.price else []
        facts += [f"retired on {self.deprecation}"] if self.deprecation else []
        facts += [f"use {self.replacement}"] if self.replacement else []
        if self.aliases:
            aliases = f" (= {', '.join(self.aliases)})"
        else:
            aliases = ""
        return f"{self.id}{aliases}: {'; '.join(fact for fact in facts if fact)}"


class Models(Result):
    """Models, one entry each."""

    models: list[Model]

    def to_text(self) -> str:
        return "\n".join(model.line() for model in self.models) or "No model matches."


class OneModel(Result, Model):
    """One model, in full."""

    def to_text(self) -> str:
        return "\n".join(filter(None, [self.line(), self.description]))


def _capabilities(card: ModelCard) -> list[str]:
    """The capabilities of a model, with embeddings, for which Mistral has no flag."""
    if "embed" in card.id:
        embeds = ["embeddings"]
    else:
        embeds = []
    return embeds + [name for name, able in card.capabilities.items() if able]


@toolset.tool("List models", effect="reads")
async def mistral_list_models(
    mistral: Mistral,
    capability: Annotated[
        str | None,
        Field(description="Such as vision, reasoning, ocr, embeddings.", max_length=64),
    ] = None,
    search: Annotated[str | None, Field(description="Part of a name.", max_length=256)] = None,
) -> Models:
    """List the models of this key, with capabilities and prices."""
    cards = fold_aliases((await mistral.send(ListModelsCall())).data)
    mistral.catalog.learn_aliases([card.id, *card.aliases] for card in cards)
    models = [Model.of(card, mistral.catalog) for card in cards]
    if capability is not None:
        models = [model for model in models if _has(model, capability)]
    if search is not None:
        models = [model for model in models if _is_named(model, search.lower())]
    return Models(models=models)


def _has(model: Model, capability: str) -> bool:
    """Whether a model has a capability; `audio` matches all for speech."""
    return any(name == capability or name.startswith(f"{capability}_") for name in model.capabilities)


def _is_named(model: Model, part: str) -> bool:
    return any(part in name.lower() for name in [model.id, *model.aliases])


@toolset.tool("Get a model", effect="reads")
async def mistral_get_model(
    mistral: Mistral, model: Annotated[str, Field(description="Model id or alias.", min_length=1, max_length=256)]
) -> OneModel:
    """Look up a model's capabilities, context window, price and retirement."""
    card = await mistral.send(GetModelCall(model_id=model), model=model)
    return OneModel.of(card, mistral.catalog)
