"""The fine-tuned models of one key, and how a name is looked up among them and everyone's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mistral_mcp.sandbox.protocol.clock import unix_time
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.errors import invalid_model
from mistral_mcp.sandbox.state.models import RETIRED_ALIASES, Model, find_base_model
from mistral_mcp.sandbox.state.store import Store

FINE_TUNED_CAPABILITIES = (
    "completion_chat",
    "completion_fim",
    "function_calling",
    "fine_tuning",
    "classification",
)
"""The capabilities in the card of a fine-tuned model."""


@dataclass(frozen=True)
class FineTunedModel:
    """What a job has made of a base model. With targets it is a classifier."""

    id: str
    base: Model
    root: str
    job: str
    targets: Sequence[Mapping[str, Any]] = ()
    name: str | None = None
    description: str | None = None
    archived: bool = False
    created: int = field(default_factory=unix_time)

    @property
    def model(self) -> Model:
        """As a model like any other. A classifier does nothing but classify."""
        capabilities = self.base.capabilities
        if self.targets:
            capabilities = frozenset({"classification"})
        return Model(self.id, self.base.context, capabilities, temperature=self.base.temperature)

    def card(self) -> dict[str, Any]:
        """As the fine-tuning paths show it."""
        targets = {}
        if self.targets:
            targets = {"classifier_targets": [_with_defaults(target) for target in self.targets]}
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": "sandbox",
            "workspace_id": "00000000-0000-4000-8000-000000000001",
            "root": self.root,
            "root_version": self.base.id.rpartition("-")[2],
            "archived": self.archived,
            "name": self.name,
            "description": self.description,
            "capabilities": {capability: self.model.can(capability) for capability in FINE_TUNED_CAPABILITIES},
            "max_context_length": self.base.context,
            "aliases": [],
            "job": self.job,
            **targets,
            "model_type": "classifier" if self.targets else "completion",
        }


def _with_defaults(target: Mapping[str, Any]) -> dict[str, Any]:
    """What the model decides, with what a job may leave out."""
    given = {name: value for name, value in target.items() if value is not None}
    return {"weight": 1.0, "loss_function": "single_class", **given}


class FineTunedModels(Store[FineTunedModel]):
    """All fine-tuned models of one key."""


def find_model(account: Account, name: str) -> Model | None:
    """The model with this name that this key may use. An archived one is out of use."""
    own = account.section(FineTunedModels).find(name)
    if own is not None and not own.archived:
        return own.model
    return find_base_model(name)


def require_model(account: Account, name: str, capability: str) -> Model:
    """The model with this name; refused as Mistral does if there is none, or if it is of another kind."""
    model = find_model(account, name)
    if model is None or not model.can(capability):
        raise invalid_model(RETIRED_ALIASES.get(name, name))
    return model
