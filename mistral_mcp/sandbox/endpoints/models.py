"""`/v1/models`, and `/v1/fine_tuning/models` for the key's own models."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mistral_mcp.sandbox.protocol.endpoint import Account, Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import ApiError, detail_error, invalid_fields
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Strict
from mistral_mcp.sandbox.state.fine_tuned_models import FineTunedModel, FineTunedModels
from mistral_mcp.sandbox.state.models import CAPABILITIES, MODELS, RETIRED, Model, find_base_model


class ModelUpdate(Strict):
    name: str | None = None
    description: str | None = None


def list_models(call: Call) -> Reply:
    """One card for each name of a model, without paging."""
    wanted = call.request.query.get("model")
    return json_reply(
        {
            "object": "list",
            "data": [card for card in _cards(call.account) if wanted in (None, card["id"])],
        }
    )


def get_model(call: Call) -> Reply:
    """One card. The body of its 404 has a `message` only."""
    name = call.params["model_id"]
    own = call.account.section(FineTunedModels).find(name)
    if own is not None:
        return json_reply(_own_card(own))
    if name in RETIRED:
        raise ApiError(json_reply({"message": f"Model {name} is deprecated."}, 404))
    model = find_base_model(name)
    if model is None:
        raise _not_found(name)
    return json_reply(_card(model, name))


def delete_model(call: Call) -> Reply:
    """Delete one of the key's own models; 403 for base models."""
    name = call.params["model_id"]
    if find_base_model(name) is not None:
        raise detail_error(403, f"You do not have permission to delete the base model {name}.")
    models = call.account.section(FineTunedModels)
    if models.find(name) is None:
        raise _not_found(name)
    return json_reply(
        {
            "id": models.remove(name).id,
            "object": "model",
            "deleted": True,
        }
    )


def update_model(call: Call) -> Reply:
    """Change only the members that were sent."""
    changes = call.body(ModelUpdate, invalid_fields).model_dump(exclude_unset=True)
    return json_reply(_change(call, **changes).card())


def archive(call: Call) -> Reply:
    """Archive a model: it still exists, but cannot be used."""
    return json_reply(
        {
            "id": _change(call, archived=True).id,
            "object": "model",
            "archived": True,
        }
    )


def unarchive(call: Call) -> Reply:
    return json_reply(
        {
            "id": _change(call, archived=False).id,
            "object": "model",
            "archived": False,
        }
    )


def _change(call: Call, **changes: Any) -> FineTunedModel:
    models = call.account.section(FineTunedModels)
    own = models.find(call.params["model_id"])
    if own is None:
        raise _not_found(call.params["model_id"])
    return models.put(own.id, replace(own, **changes))


def _not_found(name: str) -> ApiError:
    return ApiError(json_reply({"message": f"Model {name} was not found."}, 404))


def _cards(account: Account) -> Iterator[dict[str, Any]]:
    for model in MODELS:
        for name in model.names:
            yield _card(model, name)
    for own in account.section(FineTunedModels):
        yield _own_card(own)


def _card(model: Model, name: str) -> dict[str, Any]:
    """The card of one name. Its aliases are the model's other names, and `created` is the time of the request."""
    return {
        "id": name,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "mistralai",
        "capabilities": {capability: model.can(capability) for capability in CAPABILITIES},
        "name": model.id,
        "description": f"Official {model.id} Mistral AI model",
        "max_context_length": model.context,
        "aliases": [other for other in model.names if other != name],
        "deprecation": model.deprecation,
        "deprecation_replacement_model": model.replacement,
        "default_model_temperature": model.temperature,
        "billing_model_name": model.id,
        "type": "base",
    }


def _own_card(own: FineTunedModel) -> dict[str, Any]:
    return {
        **_card(own.model, own.id),
        "created": own.created,
        "owned_by": "sandbox",
        "name": own.name,
        "description": own.description,
        "type": "fine-tuned",
        "job": own.job,
        "root": own.root,
        "archived": own.archived,
    }


ENDPOINTS = (
    Endpoint("GET", "/v1/models", list_models),
    Endpoint("GET", "/v1/models/{model_id}", get_model),
    Endpoint("DELETE", "/v1/models/{model_id}", delete_model),
    Endpoint("PATCH", "/v1/fine_tuning/models/{model_id}", update_model),
    Endpoint("POST", "/v1/fine_tuning/models/{model_id}/archive", archive),
    Endpoint("DELETE", "/v1/fine_tuning/models/{model_id}/archive", unarchive),
)
