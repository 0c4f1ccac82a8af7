"""A simulated Mistral API: one ASGI app that behaves like api.mistral.ai, for `demo`, `sandbox` and every test.

It answers from fixed rules rather than a model, rejects what Mistral rejects, and fails on demand (`faults`).
It imports nothing else of this package, so that it cannot share the client's mistakes.
"""

from mistral_mcp.sandbox.app import Sandbox
from mistral_mcp.sandbox.faults import Fault, FaultPlan
from mistral_mcp.sandbox.protocol.request import Received
from mistral_mcp.sandbox.serving import run, serve_app
from mistral_mcp.sandbox.state.models import SANDBOX_MODELS

__all__ = ["SANDBOX_MODELS", "Fault", "FaultPlan", "Received", "Sandbox", "run", "serve_app"]
