"""python -m mistral_mcp."""

from mistral_mcp.cli import main

main()
