"""JSON Schemas that callers send, and JSON that models write: checked within bounds."""

from mistral_mcp.json_schema.schema import CallerSchema, compile_schema, compile_schemas, find_errors
from mistral_mcp.json_schema.values import json_in, parse_json

__all__ = ["CallerSchema", "compile_schema", "compile_schemas", "find_errors", "json_in", "parse_json"]
