"""Estimates the cost of speech: a recording's minutes, as far as the file shows them, and a text's characters."""

import io

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.tools.framework.estimates.estimate import Estimate, Pricing, Range
from mistral_mcp.tools.framework.estimates.recording_lengths import measure_seconds
from mistral_mcp.tools.framework.estimates.stored_files import MOST_BYTES, look_up
from mistral_mcp.tools.framework.request import Mistral


async def estimate_part(mistral: Mistral, part: FilePart, model: str) -> Estimate:
    """Estimate for a file in the arguments."""
    seconds = await run_heavy(measure_seconds, part.open(), part.size)
    return _estimate(mistral, model, seconds, "it cannot be read from this kind of file")


async def estimate_file(mistral: Mistral, file_id: str, model: str) -> Estimate:
    """Estimate for a file at Mistral."""
    _, content = await look_up(mistral, file_id)
    if content is None:
        limit = MOST_BYTES // 1024 // 1024
        return _estimate(mistral, model, None, f"beyond {limit} MB a file is not fetched for an estimate")
    seconds = await run_heavy(measure_seconds, io.BytesIO(content), len(content))
    return _estimate(mistral, model, seconds, "it cannot be read from this kind of file")


def estimate_url(mistral: Mistral, model: str) -> Estimate:
    """Estimate for a recording at a web address, which only Mistral fetches."""
    return _estimate(mistral, model, None, "a web address is not fetched for an estimate")


def estimate_speech(mistral: Mistral, model: str, text: str) -> Estimate:
    """Estimate for text to speech."""
    pricing = Pricing.of(mistral, model)
    characters = Range.exactly(len(text))
    part = pricing.part({"characters": characters}, pricing.by_unit(characters, "million characters"))
    return Estimate.of(part, basis=["The characters of the text were counted.", pricing.basis()])


def _estimate(mistral: Mistral, model: str, seconds: float | None, reason: str) -> Estimate:
    pricing = Pricing.of(mistral, model)
    if seconds is None:
        minutes, basis = Range(min=0, max=None), []
        unknown = [f"how long the recording is: {reason}"]
    else:
        minutes, basis = (
            Range.exactly(round(seconds / 60, 6)),
            [f"The file states a length of {seconds:,.1f} seconds."],
        )
        unknown = []
    part = pricing.part({"minutes": minutes}, pricing.by_unit(minutes, "minute"))
    return Estimate.of(part, basis=[*basis, pricing.basis()], unknown=unknown)
