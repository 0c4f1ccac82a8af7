"""A simulated Mistral API: one ASGI app that behaves like api.mistral.ai, for `demo`, `sandbox` and every test.

It answers from fixed rules rather than a model, refuses what Mistral refuses, and breaks on demand (`faults`).
It imports nothing of ours: it is the other side of the wire.
"""

from mistral_mcp.sandbox.app import Sandbox
from mistral_mcp.sandbox.faults import Fault, FaultPlan
from mistral_mcp.sandbox.protocol.request import Received
from mistral_mcp.sandbox.serving import listening, run
from mistral_mcp.sandbox.state.models import SANDBOX_MODELS

__all__ = ["SANDBOX_MODELS", "Fault", "FaultPlan", "Received", "Sandbox", "listening", "run"]
