"""Skills: recipes for models, each a folder with a SKILL.md, served over MCP (SEP-2640) and copied into the Claude plugin."""
