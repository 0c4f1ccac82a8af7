#!/usr/bin/env bash
# What CI runs from npm, each at one version, into the folder given: Node, the clients, the readers of manifests, the
# conformance suite. NODE_TOOLS names such a folder to the scripts that need one; without it each makes its own.
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
if ! fetch "${programs[@]}"; then  # one that cannot be had keeps no other away; whoever needs it will say so
    for program in "${programs[@]}"; do
        fetch "$program" || echo "npm cannot install $program" >&2
    done
fi
[ -x "$into/node_modules/.bin/node" ]
