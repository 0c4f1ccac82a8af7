"""The Mistral HTTP API: speaks HTTP, knows no MCP."""
