"""Toolset `models`: what a key may name, with context windows and prices."""

from typing import Annotated

from pydantic import BaseModel, Field

from mistral_mcp.mistral import catalog
from mistral_mcp.mistral.api.models import GetModelCall, ListModelsCall, ModelCard, folded
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()


class UnitPrice(BaseModel):
    """What is not counted in tokens."""

    usd: float
    per: str


class Price(BaseModel):
    """List price, and the day it was read."""

    input_usd_per_mtok: Maybe[float] = None
    output_usd_per_mtok: Maybe[float] = None
    units: Maybe[list[UnitPrice]] = None
    date: str

    @classmethod
    def of(cls, price: catalog.Price) -> "Price":
        units = [UnitPrice(usd=unit.usd, per=unit.per) for unit in price.units]
        return cls(
            input_usd_per_mtok=price.input_usd_per_mtok,
            output_usd_per_mtok=price.output_usd_per_mtok,
            units=units or None,
            date=price.date,
        )

    def to_text(self) -> str:
        """Such as "$0.15 in, $0.6 out per Mtok", "$4 per 1000 pages"."""
        parts = [f"${unit.usd:g} per {unit.per}" for unit in self.units or ()]
        if self.input_usd_per_mtok is not None:
            output = f", ${self.output_usd_per_mtok:g} out" if self.output_usd_per_mtok is not None else ""
            parts.insert(0, f"${self.input_usd_per_mtok:g} in{output} per Mtok")
        return ", ".join(parts)


class Model(BaseModel):
    """One model under all its names."""

    id: str
    aliases: list[str]
    description: Maybe[str] = None
    context_length: int | None
    capabilities: list[str]
    price: Maybe[Price] = None
    deprecation: Maybe[str] = Field(default=None, description="When it goes.")
    replacement: Maybe[str] = None

    @classmethod
    def of(cls, card: ModelCard, prices: catalog.Catalog) -> "Model":
        price = next(filter(None, (prices.price_of(name) for name in (card.id, *card.aliases))), None)
        # Mistral has no flag for embeddings.
        embeds = ["embeddings"] if "embed" in card.id else []
        return cls(
            id=card.id,
            aliases=card.aliases,
            description=card.description,
            context_length=card.max_context_length or prices.context_window(card.id),
            capabilities=embeds + [name for name, able in card.capabilities.items() if able],
            price=Price.of(price) if price else None,
            deprecation=card.deprecation,
            replacement=card.deprecation_replacement_model,
        )

    def line(self) -> str:
        facts = [", ".join(self.capabilities)]
        if self.context_length:
            facts.append(f"{self.context_length:,} tokens")
        if self.price:
            facts.append(self.price.to_text())
        if self.deprecation:
            facts.append(f"goes {self.deprecation}" + (f", use {self.replacement}" if self.replacement else ""))
        names = self.id + (f" (= {', '.join(self.aliases)})" if self.aliases else "")
        return f"{names}: {'; '.join(fact for fact in facts if fact)}"


class Models(Result):
    """Models, one entry each."""

    models: list[Model]

    def to_text(self) -> str:
        return "\n".join(model.line() for model in self.models) or "No model fits."


class OneModel(Result, Model):
    """One model, full."""

    def to_text(self) -> str:
        return self.line() + (f"\n{self.description}" if self.description else "")


@toolset.tool("List models", effect="reads")
async def mistral_list_models(
    mistral: Mistral,
    capability: Annotated[
        str | None, Field(description="Such as completion_chat, vision, reasoning, ocr, embeddings.")
    ] = None,
    search: Annotated[str | None, Field(description="Part of a name.")] = None,
) -> Models:
    """See which models this key may use, with capabilities, context windows and prices."""
    cards = folded((await mistral.send(ListModelsCall())).data)
    mistral.catalog.learn_aliases([card.id, *card.aliases] for card in cards)
    models = [Model.of(card, mistral.catalog) for card in cards]
    if capability is not None:
        models = [model for model in models if capability in model.capabilities]
    if search is not None:
        wanted = search.lower()
        models = [model for model in models if any(wanted in name.lower() for name in (model.id, *model.aliases))]
    return Models(models=models)


@toolset.tool("Get a model", effect="reads")
async def mistral_get_model(
    mistral: Mistral, model: Annotated[str, Field(description="Id or alias.", min_length=1)]
) -> OneModel:
    """Look one model up: what it can do, its context window, price and whether it is going away."""
    card = await mistral.send(GetModelCall(model_id=model), model=model)
    return OneModel(**Model.of(card, mistral.catalog).model_dump())
