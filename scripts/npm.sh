#!/usr/bin/env bash
# Install the npm programs that CI uses into the given folder, each at a fixed version: Node, the clients, the validators of
# manifests, and the conformance suite. Scripts find the folder by NODE_TOOLS; without it, each installs its own.
set -euo pipefail

into=$1
programs=(
    node@24.21.0
    @modelcontextprotocol/conformance@0.2.0-alpha.12
    @modelcontextprotocol/inspector@2.12.0
    @modelcontextprotocol/sdk@1.32.2
    @modelcontextprotocol/client@2.4.0
    mcp-remote@0.15.1  # the series that mistral_mcp/install/hosts.py names
    @anthropic-ai/claude-code@2.1.330
    @anthropic-ai/mcpb@2.1.2
    @openai/codex@0.169.0
    @google/gemini-cli@0.61.0
    prettier@3.10.1  # what Docker's catalogue checks an entry with
)

fetch() { npm install --silent --no-audit --no-fund --save-exact --prefix "$into" "$@"; }

mkdir -p "$into"
if ! fetch "${programs[@]}"; then  # install the others if one fails; the script that needs it will report it
    for program in "${programs[@]}"; do
        fetch "$program" || echo "npm cannot install $program" >&2
    done
fi
[ -x "$into/node_modules/.bin/node" ]
