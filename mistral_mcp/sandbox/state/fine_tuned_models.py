"""The fine-tuned models of one key, and the look-up of a name among these and the base models."""

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
    """The result of a fine-tuning job. With targets it is a classifier."""

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
        """Its context window and capabilities. A classifier can only classify."""
        capabilities = self.base.capabilities
        if self.targets:
            capabilities = frozenset({"classification"})
        return Model(self.id, self.base.context, capabilities, temperature=self.base.temperature)

    def card(self) -> dict[str, Any]:
        """The model as the fine-tuning endpoints show it."""
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
    """A classifier's target, with defaults for what the job left out."""
    given = {name: value for name, value in target.items() if value is not None}
    return {"weight": 1.0, "loss_function": "single_class", **given}


class FineTunedModels(Store[FineTunedModel]):
    """All fine-tuned models of one key."""


def find_model(account: Account, name: str) -> Model | None:
    """The model with this name that this key may use: one of its own that is not archived, or a base model."""
    own = account.section(FineTunedModels).find(name)
    if own is not None and not own.archived:
        return own.model
    return find_base_model(name)


def require_model(account: Account, name: str, capability: str) -> Model:
    """The model with this name. 400 if there is none, or if it lacks the capability."""
    model = find_model(account, name)
    if model is None or not model.can(capability):
        raise invalid_model(RETIRED_ALIASES.get(name, name))
    return model
