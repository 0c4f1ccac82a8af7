"""Explains calls to models without the needed capability: Mistral calls such models unknown."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

from mistral_mcp.errors import MistralMcpError, UnknownModel
from mistral_mcp.mistral.api.models import GetModelCall
from mistral_mcp.tools.framework.request import Mistral

Capability = Literal[
    "embeddings", "classification", "moderation", "completion_fim", "ocr", "audio_transcription", "audio_speech"
]


@asynccontextmanager
async def needs_capability(mistral: Mistral, model: str, capability: Capability) -> AsyncGenerator[None]:
    """If Mistral calls the model unknown, check whether it exists without this capability. Raises `UnknownModel`."""
    try:
        yield
    except UnknownModel as error:
        if not await _exists(mistral, model):
            raise
        raise UnknownModel(
            f"The model {model} exists, but not for {capability}.",
            f"Choose one that mistral_list_models shows for the capability {capability}.",
            status=error.status,
            code=error.code,
            correlation_id=error.correlation_id,
            attempts=error.attempts,
        ) from None


async def _exists(mistral: Mistral, model: str) -> bool:
    try:
        await mistral.send(GetModelCall(model_id=model))
    except MistralMcpError:
        return False
    return True
