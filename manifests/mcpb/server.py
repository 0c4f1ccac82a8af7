"""The bundle's entry point: MCP over stdio, with the key that the host keeps."""

from mistral_mcp.cli.main import main

if __name__ == "__main__":
    main(["stdio"])
