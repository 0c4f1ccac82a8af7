"""A call's arguments: bounded, normalised and validated."""

from mistral_mcp.tools.framework.arguments.reading import ADDED_BY_HOSTS, Arguments, exactly_one_of, strict
from mistral_mcp.tools.framework.arguments.shapes import Shape
from mistral_mcp.tools.framework.arguments.wrappers import unwrap_function

__all__ = ["ADDED_BY_HOSTS", "Arguments", "Shape", "exactly_one_of", "strict", "unwrap_function"]
