"""python -m mistral_mcp."""

from mistral_mcp.cli.main import main

main()
